"""Installs as docs/operations.md says: apply.sh, and before it for the production overlay what is brought by others."""

import asyncio
import json
from pathlib import Path

from local_stack.child import run
from tests.k8s.cluster import NAMESPACE, Cluster
from tests.k8s.manifests import K8S, Manifests, Resource
from tests.k8s.test_schemas import CUSTOM
from tests.k8s.witness import Witness

APPLY_SECONDS = 100.0


async def apply(cluster: Cluster, overlay: Path, **environment: str) -> str:
    """What apply.sh prints. Raises CommandFailed with its words."""
    script = str(overlay.parents[1] / "apply.sh")
    return await run(script, str(overlay), timeout=APPLY_SECONDS, env=cluster.environment | environment)


async def until_ready(cluster: Cluster, witness: Witness, replicas: int, seconds: float = 60) -> None:
    """Every service has exactly so many ready pods, and no other. Raises AssertionError with the pods there are."""
    try:
        async with asyncio.timeout(seconds):
            while not _settled(witness, replicas):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(await cluster.kubectl("get", "pods", "-A", "-o", "wide")) from None


def _settled(witness: Witness, replicas: int) -> bool:
    ready = witness.ready()
    return len(ready) == 5 and {*ready.values()} == {replicas} and ready.total() == len(witness.pods)


async def install_production(cluster: Cluster, deployment: Path, manifests: Manifests, witness: Witness) -> None:
    """Two ready pods of each service, as the autoscalers want them: the Deployments name no number."""
    await cluster.kubectl("apply", "-f", "-", stdin=json.dumps(_list(_definitions(manifests))))
    await cluster.kubectl("apply", "-f", str(K8S / "base" / "namespace.yaml"))
    for folder in sorted((deployment / "overlays" / "small" / "secrets").iterdir()):
        words = ("create", "secret", "generic", folder.name, f"--from-file={folder}")
        await cluster.kubectl("-n", NAMESPACE, *words)
    await apply(cluster, deployment / "overlays" / "production")
    for scaled in manifests.all("ScaledObject"):  # as KEDA would do, which is not here
        least = scaled["spec"]["minReplicaCount"]
        name = scaled["spec"]["scaleTargetRef"]["name"]
        await cluster.kubectl("-n", NAMESPACE, "scale", f"deployment/{name}", f"--replicas={least}")
    await until_ready(cluster, witness, replicas=2)
    witness.forget()


def _list(items: list[Resource]) -> Resource:
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _definitions(manifests: Manifests) -> list[Resource]:
    """Custom resources that take anything; what is in ours is test_schemas.py's to check."""
    kinds = {(each["apiVersion"], each["kind"]) for each in manifests.resources if each["kind"] in CUSTOM}
    return [_definition(api_version, kind) for api_version, kind in sorted(kinds)]


def _definition(api_version: str, kind: str) -> Resource:
    group, version = api_version.split("/")
    plural = f"{kind.lower()}s"
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": version, "served": True, "storage": True, "schema": anything}]
    names = {"kind": kind, "plural": plural}
    annotations = {"api-approved.kubernetes.io": "unapproved, a test's"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": annotations},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
    }
