"""A Kubernetes control plane of a test's own: API server, controllers and scheduler are real, nodes are nodes.py's."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx

from local_stack import child
from local_stack.child import Part, run
from local_stack.errors import CommandFailed
from local_stack.layout import ROOT
from local_stack.ports import HOST, free_ports
from tests.k8s.manifests import KUBECTL

PROGRAM = ROOT / ".run" / "kubernetes" / "controlplane"
SOURCE = Path(__file__).with_name("controlplane")
NAMESPACE = "pulse-ota"
BUILD_SECONDS = 1800.0


class Cluster:
    """A running control plane: by HTTP as `api`, by kubectl, and for other programs by their `environment`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        token = token_hex(16)
        server = f"https://{HOST}:{port}"
        (folder / "tokens.csv").write_text(f"{token},test,test\n", encoding="utf-8")
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(_kubeconfig(server, token)), encoding="utf-8")
        self.environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(folder / "cache"),  # without it, and without a HOME: the folder that it is called in
            "PATH": f"{KUBECTL.parent}{os.pathsep}{os.environ['PATH']}",
        }
        head = {"Authorization": f"Bearer {token}"}
        self.api = httpx.AsyncClient(base_url=server, headers=head, verify=False, timeout=30)

    async def kubectl(self, *words: str, stdin: str = "", timeout: float = 60) -> str:
        """What kubectl prints. Raises CommandFailed with its words."""
        return await run(str(KUBECTL), *words, stdin=stdin, timeout=timeout, env=self.environment)

    async def all(self, what: str, *words: str) -> list[dict[str, Any]]:
        """All resources of a kind in the namespace, or those that a selector (`-l`) finds."""
        listed = json.loads(await self.kubectl("-n", NAMESPACE, "get", what, "-o", "json", *words))
        found: list[dict[str, Any]] = listed["items"]
        return found

    async def names(self, what: str) -> list[str]:
        return [item["metadata"]["name"] for item in await self.all(what)]

    async def prepare_namespace(self, namespace: dict[str, Any]) -> None:
        """The namespace, with what controllers make in each and pods cannot do without."""
        await self.kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
        await self.kubectl("-n", NAMESPACE, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")

    async def answers(self) -> bool:
        try:
            return await self.kubectl("get", "--raw", "/readyz", "--request-timeout=2s") == "ok"
        except CommandFailed:
            return False

    async def controllers_act(self) -> bool:
        """A service account in each namespace is one of the things that they make."""
        return (await self.api.get("/api/v1/namespaces/default/serviceaccounts/default")).is_success


async def build() -> None:
    """Compiles the control plane, with Go: minutes at first, later seconds."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    await run(go, "build", "-C", str(SOURCE), "-o", str(PROGRAM), ".", timeout=BUILD_SECONDS)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cluster]:
    """An empty cluster, gone at the end."""
    port, etcd, etcd_peers = free_ports(3)
    await run("openssl", "genrsa", "-out", str(folder / "service-accounts.key"), "2048", timeout=30)
    cluster = Cluster(folder, port)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(cluster.api)

        async def start(name: str, ready: Callable[[], Awaitable[bool]], *words: str) -> None:
            part = Part(name, (str(PROGRAM), name, *words), ready, ready_within=60.0)
            process = await child.start(part, folder / f"{name}.log")
            stack.push_async_callback(process.stop)
            await process.until_ready()

        await start("apiserver", cluster.answers, str(folder), str(etcd), str(etcd_peers), *_apiserver(cluster))
        await start("controllers", cluster.controllers_act, *_controllers(cluster))
        await start("scheduler", cluster.answers, *_client(cluster))
        yield cluster


def _apiserver(cluster: Cluster) -> tuple[str, ...]:
    key = cluster.folder / "service-accounts.key"
    return (
        f"--bind-address={HOST}",
        f"--secure-port={cluster.port}",
        f"--cert-dir={cluster.folder / 'certificates'}",
        f"--token-auth-file={cluster.folder / 'tokens.csv'}",
        "--authorization-mode=AlwaysAllow",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--endpoint-reconciler-type=none",
    )


def _client(cluster: Cluster) -> tuple[str, ...]:
    """What controllers and scheduler have in common. Port 0: they serve nothing themselves."""
    return f"--kubeconfig={cluster.kubeconfig}", "--leader-elect=false", "--secure-port=0"


def _controllers(cluster: Cluster) -> tuple[str, ...]:
    key = cluster.folder / "service-accounts.key"
    often = "--horizontal-pod-autoscaler-sync-period=2s"
    return *_client(cluster), f"--service-account-private-key-file={key}", often


def _kubeconfig(server: str, token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
