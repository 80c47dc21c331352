"""Three nodes whose kubelets are these lines: pods that are placed there start, become ready and end.

The API sees it so; no container runs. All times are in seconds, shorter than real ones, but in their order.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import httpx

from tests.k8s.manifests import Resource

NAMES = ("node-a", "node-b", "node-c")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
LOOK, BEAT = 0.2, 5.0
START = 1.0
"""From the placement until the container runs."""
READY = 2.0
"""From then until its readiness probe succeeds, or a job is done."""
STOP = 1.0
"""From the signal to a process until its end. Before that comes the preStop of the manifest, at its full length."""


class Nodes:
    """The kubelets. A job's pod that is `unwell` ends with code 1, a service's is not ready while it is."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self.unwell: Callable[[Resource], bool] = lambda pod: False
        self._api = api
        self._first_seen: dict[tuple[str, str], float] = {}
        self._addresses = (f"10.244.{number >> 8}.{number & 255}" for number in count(1))

    async def register(self) -> None:
        for name, zone in zip(NAMES, "abc", strict=True):
            await self._done("POST", "/api/v1/nodes", json=_node(name, f"zone-{zone}"))
            lease = {"metadata": {"name": name}, "spec": {"holderIdentity": name, "leaseDurationSeconds": 40}}
            await self._done("POST", LEASES, json=lease)

    async def tend(self) -> None:
        """Looks after all pods, until it is cancelled."""
        while True:
            for pod in (await self._done("GET", "/api/v1/pods")).json()["items"]:
                if "nodeName" in pod["spec"]:
                    await self._tend(pod)
            await asyncio.sleep(LOOK)

    async def beat(self) -> None:
        """Says that the nodes live, until it is cancelled."""
        while True:
            spec = {"renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
            for name in NAMES:
                await self._patch(f"{LEASES}/{name}", {"spec": spec})
            await asyncio.sleep(BEAT)

    async def _tend(self, pod: Resource) -> None:
        phase = pod["status"]["phase"]
        if "deletionTimestamp" in pod["metadata"]:
            if self._age(pod, "Ending") >= _stop_seconds(pod):
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
                await self._done("DELETE", _path(pod), json=options)
        elif phase == "Pending":
            if self._age(pod, phase) >= START and await self._can_start(pod):
                await self._report(pod, phase="Running", ready=False)
        elif phase == "Running" and self._age(pod, phase) >= READY:
            unwell = self.unwell(pod)
            if of_job(pod):
                assert pod["spec"]["restartPolicy"] == "Never", "here no container is started again in its pod"
                await self._report(pod, phase="Failed" if unwell else "Succeeded", ready=False)
            elif is_ready(pod) == unwell:
                await self._report(pod, phase=phase, ready=not unwell)

    def _age(self, pod: Resource, state: str) -> float:
        now = time.monotonic()
        return now - self._first_seen.setdefault((pod["metadata"]["uid"], state), now)

    async def _can_start(self, pod: Resource) -> bool:
        """Whether all that it mounts and reads is there; a real one would wait in the same way."""
        namespace = f"/api/v1/namespaces/{pod['metadata']['namespace']}"
        volumes, [container] = pod["spec"]["volumes"], pod["spec"]["containers"]
        needed = [f"secrets/{volume['secret']['secretName']}" for volume in volumes if "secret" in volume]
        needed += [f"configmaps/{volume['configMap']['name']}" for volume in volumes if "configMap" in volume]
        needed += [f"configmaps/{source['configMapRef']['name']}" for source in container.get("envFrom", [])]
        return all([(await self._api.get(f"{namespace}/{each}")).is_success for each in needed])

    async def _report(self, pod: Resource, *, phase: str, ready: bool) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = {"Initialized": True, "ContainersReady": ready, "Ready": ready}
        conditions = [{"type": kind, "status": str(holds), "lastTransitionTime": now} for kind, holds in said.items()]
        [container] = pod["spec"]["containers"]
        state: Resource = {"running": {"startedAt": now}}
        if phase != "Running":
            state = {"terminated": {"exitCode": int(phase == "Failed"), "startedAt": now, "finishedAt": now}}
        status = {"phase": phase, "conditions": conditions, "startTime": pod["status"].get("startTime", now)}
        about = {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0}
        status["containerStatuses"] = [about | {"ready": ready, "started": phase == "Running", "state": state}]
        if "podIP" not in pod["status"]:
            status["podIP"] = next(self._addresses)
        await self._patch(f"{_path(pod)}/status", {"status": status})

    async def _patch(self, path: str, content: Resource) -> None:
        await self._done(
            "PATCH", path, json=content, headers={"Content-Type": "application/strategic-merge-patch+json"}
        )

    async def _done(self, method: str, path: str, **content: object) -> httpx.Response:
        """The answer. That a pod is gone already (404), or is another's by now (409), is no failure."""
        answer = await self._api.request(method, path, **content)  # type: ignore[arg-type]
        assert answer.is_success or answer.status_code in {404, 409}, f"{method} {path}: {answer.text}"
        return answer


def of_job(pod: Resource) -> bool:
    return any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))


def is_ready(pod: Resource) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _path(pod: Resource) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _stop_seconds(pod: Resource) -> float:
    [container] = pod["spec"]["containers"]
    asleep: float = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    allowed: float = pod["metadata"]["deletionGracePeriodSeconds"]
    return min(asleep + STOP, allowed)


def _node(name: str, zone: str) -> Resource:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}
    size = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
    conditions = [ready | {"lastTransitionTime": now}]
    status = {"capacity": size, "allocatable": size, "conditions": conditions}
    return {"metadata": {"name": name, "labels": labels}, "status": status}


@asynccontextmanager
async def running(api: httpx.AsyncClient) -> AsyncIterator[Nodes]:
    """Three nodes that live until the end."""
    nodes = Nodes(api)
    await nodes.register()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(nodes.tend()), group.create_task(nodes.beat())]
        yield nodes
        for task in tasks:
            task.cancel()
