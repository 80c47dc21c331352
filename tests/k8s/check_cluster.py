"""What is applied is taken by a real API server, and by apply.sh in the right order (`make test-k8s`)."""

import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from local_stack.errors import CommandFailed
from tests.k8s import nodes
from tests.k8s.cluster import NAMESPACE, Cluster
from tests.k8s.installing import apply, until_ready
from tests.k8s.manifests import Manifests, Workload
from tests.k8s.nodes import of_job
from tests.k8s.test_schemas import CUSTOM
from tests.k8s.witness import watching


async def test_services_come_after_the_set_up_job_at_first_and_at_an_upgrade(
    cluster: Cluster, deployment: Path
) -> None:
    overlay = deployment / "overlays" / "small"
    async with nodes.running(cluster.api), watching(cluster.api, NAMESPACE) as witness:
        printed = await apply(cluster, overlay)
        assert "Warning" not in printed, printed
        await until_ready(cluster, witness, replicas=1)
        assert await set_up_at(cluster) <= min(await times(cluster, "deployment"))

        witness.forget()
        before = {*await cluster.names("replicaset")}
        with tagged(overlay, "0.2.0"):
            await apply(cluster, overlay)
        await until_ready(cluster, witness, replicas=1)
        assert {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in witness.pods.values()} == {"0.2.0"}
        assert await set_up_at(cluster) <= min(await times(cluster, "replicaset", besides=before))
        assert set(witness.fewest.values()) == {1}, "a service was away"


async def set_up_at(cluster: Cluster) -> str:
    """When the set-up job was complete (ISO 8601, to the second)."""
    [job] = await cluster.all("job")
    return str(job["status"]["completionTime"])


async def times(cluster: Cluster, what: str, besides: Collection[str] = ()) -> list[str]:
    """When each of a kind was made, but for some."""
    made = [each["metadata"] for each in await cluster.all(what)]
    return [each["creationTimestamp"] for each in made if each["name"] not in besides]


@contextmanager
def tagged(overlay: Path, tag: str) -> Iterator[None]:
    """All images of the overlay have another tag meanwhile."""
    kustomization = overlay / "kustomization.yaml"
    before = kustomization.read_text(encoding="utf-8")
    kustomization.write_text(before.replace('newTag: "0.1.0"', f'newTag: "{tag}"'), encoding="utf-8")
    try:
        yield
    finally:
        kustomization.write_text(before, encoding="utf-8")


async def test_a_set_up_that_takes_too_long_leaves_the_services_alone(cluster: Cluster, deployment: Path) -> None:
    """No node is there for its pod."""
    with pytest.raises(CommandFailed, match="nothing else was changed"):
        await apply(cluster, deployment / "overlays" / "small", WAIT="3s")
    assert await cluster.names("deployment") == []


async def test_a_set_up_that_fails_says_so_at_once_and_its_words_stay(cluster: Cluster, deployment: Path) -> None:
    overlay = deployment / "overlays" / "hasty"
    overlay.mkdir()
    patch = {"target": {"kind": "Job"}, "patch": "- {op: replace, path: /spec/backoffLimit, value: 0}"}
    kustomization = {"resources": ["../small"], "patches": [patch]}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    async with nodes.running(cluster.api) as kubelets:
        kubelets.unwell = of_job
        with pytest.raises(CommandFailed, match="nothing else was changed"):
            await apply(cluster, overlay)
    assert await cluster.names("deployment") == []
    [pod] = await cluster.all("pod")
    assert pod["status"]["phase"] == "Failed", "kubectl logs job/setup shows what is in the pods that are still there"


async def test_the_server_takes_everything_without_a_warning(
    cluster: Cluster, small: Manifests, production: Manifests
) -> None:
    await cluster.prepare_namespace(small.get("Namespace", NAMESPACE))
    for manifests in (small, production):
        built_in = [resource for resource in manifests.resources if resource["kind"] not in CUSTOM]
        text = yaml.safe_dump_all(built_in)
        words = ("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
        printed = await cluster.kubectl(*words, stdin=text)
        assert len(printed.splitlines()) == len(built_in)


def pod(workload: Workload) -> str:
    """A pod as a controller would make it."""
    spec = workload.pod | {"topologySpreadConstraints": []}
    metadata = {"name": workload.name, "namespace": NAMESPACE, "labels": workload.labels}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def test_pod_security_admits_every_pod_and_refuses_one_that_is_not_restricted(
    cluster: Cluster, production: Manifests
) -> None:
    await cluster.prepare_namespace(production.get("Namespace", NAMESPACE))
    for workload in production.workloads():
        await cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=pod(workload))
    lax = copy.deepcopy(production.workload("gateway"))
    del lax.container["securityContext"]["capabilities"]
    with pytest.raises(CommandFailed, match=r'violates PodSecurity "restricted'):
        await cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=pod(lax))
