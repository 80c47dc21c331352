"""What is applied is taken by a real API server, and by apply.sh in the right order (`make test-k8s`).

No controller runs there: where one would have acted, the test writes the status in its place.
"""

import asyncio
import copy
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from local_stack.errors import CommandFailed
from tests.k8s import cluster as clusters
from tests.k8s.cluster import Cluster
from tests.k8s.manifests import Manifests, Workload
from tests.k8s.test_schemas import CUSTOM

SERVICES = {"catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc", "gateway"}


@pytest.fixture(scope="session", autouse=True)
async def built() -> None:
    await clusters.build()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with clusters.running(tmp_path) as running:
        yield running


async def apply(cluster: Cluster, overlay: Path, **environment: str) -> asyncio.subprocess.Process:
    """Starts apply.sh, as docs/operations.md says."""
    return await asyncio.create_subprocess_exec(
        overlay.parents[1] / "apply.sh",
        overlay,
        env=cluster.environment | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def until_job(cluster: Cluster, besides: str | None = None) -> str:
    """The uid of the set-up job, once there is another than `besides`."""
    async with asyncio.timeout(60):
        while True:
            job = await cluster.get("job", "setup")
            if job is not None and job["metadata"]["uid"] != besides:
                return str(job["metadata"]["uid"])
            await asyncio.sleep(0.2)


async def complete_job(cluster: Cluster) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"conditions": conditions, "startTime": now, "completionTime": now, "succeeded": 1}
    await cluster.set_status("job", "setup", status | {"uncountedTerminatedPods": {}})


async def roll_out(cluster: Cluster) -> None:
    """All Deployments have one pod of their present kind."""
    async with asyncio.timeout(60):
        while set(await cluster.names("deployment")) != SERVICES:
            await asyncio.sleep(0.2)
    for name in SERVICES:
        deployment = await cluster.get("deployment", name)
        assert deployment is not None
        ready = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        generation = deployment["metadata"]["generation"]
        await cluster.set_status("deployment", name, {"observedGeneration": generation, **ready})


async def test_services_come_after_the_set_up_job_at_first_and_at_an_upgrade(
    cluster: Cluster, deployment: Path
) -> None:
    overlay = deployment / "overlays" / "small"
    installing = await apply(cluster, overlay)
    first = await until_job(cluster)
    await asyncio.sleep(2)
    assert await cluster.names("deployment") == [], "nothing is there before the job is complete"
    await complete_job(cluster)
    await roll_out(cluster)
    code, printed = await ended(installing)
    assert code == 0, printed
    assert "Warning" not in printed, printed

    kustomization = overlay / "kustomization.yaml"
    before = kustomization.read_text(encoding="utf-8")
    kustomization.write_text(before.replace('newTag: "0.1.0"', 'newTag: "0.2.0"'), encoding="utf-8")
    try:
        upgrading = await apply(cluster, overlay)
        await until_job(cluster, besides=first)
        await asyncio.sleep(2)
        assert await images(cluster) == {"0.1.0"}
        await complete_job(cluster)
        async with asyncio.timeout(60):
            while await images(cluster) != {"0.2.0"}:
                await asyncio.sleep(0.2)
        await roll_out(cluster)
        code, printed = await ended(upgrading)
        assert code == 0, printed
    finally:
        kustomization.write_text(before, encoding="utf-8")


async def images(cluster: Cluster) -> set[str]:
    """The tags of all Deployments."""
    printed = await cluster.kubectl("-n", clusters.NAMESPACE, "get", "deployment", "-o", "yaml")
    return set(re.findall(r"image: \S+:(\S+)", printed))


async def test_a_set_up_that_does_not_complete_leaves_the_services_alone(cluster: Cluster, deployment: Path) -> None:
    code, printed = await ended(await apply(cluster, deployment / "overlays" / "small", WAIT="3s"))
    assert code == 1
    assert "nothing else was changed" in printed
    assert await cluster.names("deployment") == []


async def test_the_server_takes_everything_without_a_warning(
    cluster: Cluster, small: Manifests, production: Manifests
) -> None:
    for manifests in (small, production):
        built_in = [resource for resource in manifests.resources if resource["kind"] not in CUSTOM]
        text = yaml.safe_dump_all(built_in)
        words = ("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
        printed = await cluster.kubectl(*words, stdin=text)
        assert len(printed.splitlines()) == len(built_in)


def pod(workload: Workload) -> str:
    """A pod as a controller would make it."""
    spec = workload.pod | {"topologySpreadConstraints": []}
    metadata = {"name": workload.name, "namespace": clusters.NAMESPACE, "labels": workload.labels}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def test_pod_security_admits_every_pod_and_refuses_one_that_is_not_restricted(
    cluster: Cluster, production: Manifests
) -> None:
    await cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(production.get("Namespace", clusters.NAMESPACE)))
    for workload in production.workloads():
        await cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=pod(workload))
    lax = copy.deepcopy(production.workload("gateway"))
    del lax.container["securityContext"]["capabilities"]
    with pytest.raises(CommandFailed, match=r'violates PodSecurity "restricted'):
        await cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=pod(lax))
