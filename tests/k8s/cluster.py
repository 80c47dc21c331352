"""A Kubernetes API server of a test's own: it checks and keeps what is applied, and no controller acts on it."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from local_stack import child
from local_stack.child import Part, run
from local_stack.errors import CommandFailed
from local_stack.layout import ROOT
from local_stack.ports import HOST, free_ports
from tests.k8s.manifests import KUBECTL

PROGRAM = ROOT / ".run" / "kubernetes" / "apiserver"
SOURCE = Path(__file__).with_name("apiserver")
NAMESPACE = "pulse-ota"
BUILD_SECONDS = 1800.0


class Cluster:
    """A running API server, and kubectl for it: as `kubeconfig`, first in the `environment` of programs."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(folder / "cache"),  # without it, and without a HOME: the folder that it is called in
            "PATH": f"{KUBECTL.parent}{os.pathsep}{os.environ['PATH']}",
        }

    async def kubectl(self, *words: str, stdin: str = "") -> str:
        """What kubectl prints. Raises CommandFailed with its words."""
        return await run(str(KUBECTL), *words, stdin=stdin, timeout=60, env=self.environment)

    async def get(self, what: str, name: str) -> dict[str, Any] | None:
        """A resource of the namespace; None: it is not there."""
        printed = await self.kubectl("-n", NAMESPACE, "get", what, name, "-o", "json", "--ignore-not-found")
        return json.loads(printed) if printed.strip() else None

    async def names(self, what: str) -> list[str]:
        listed = json.loads(await self.kubectl("-n", NAMESPACE, "get", what, "-o", "json"))
        return [item["metadata"]["name"] for item in listed["items"]]

    async def prepare_namespace(self, namespace: dict[str, Any]) -> None:
        """The namespace, with what controllers make in each and pods cannot do without."""
        await self.kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
        await self.kubectl("-n", NAMESPACE, "create", "serviceaccount", "default")

    async def set_status(self, what: str, name: str, status: dict[str, Any]) -> None:
        """What a controller would have written."""
        patch = json.dumps({"status": status})
        await self.kubectl("-n", NAMESPACE, "patch", what, name, "--subresource=status", "--type=merge", "-p", patch)

    async def answers(self) -> bool:
        try:
            return await self.kubectl("get", "--raw", "/readyz", "--request-timeout=2s") == "ok"
        except CommandFailed:
            return False


async def build() -> None:
    """Compiles the API server, with Go: minutes at first, later seconds."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    await run(go, "build", "-C", str(SOURCE), "-o", str(PROGRAM), ".", timeout=BUILD_SECONDS)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cluster]:
    """An empty cluster, gone at the end."""
    port, etcd, etcd_peers = free_ports(3)
    token = token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},test,test\n", encoding="utf-8")
    key = folder / "service-accounts.key"
    await run("openssl", "genrsa", "-out", str(key), "2048", timeout=30)
    cluster = Cluster(folder)
    cluster.kubeconfig.write_text(json.dumps(_kubeconfig(port, token)), encoding="utf-8")
    command = (str(PROGRAM), str(folder), str(etcd), str(etcd_peers), *_flags(folder, port, key))
    part = Part("apiserver", command, cluster.answers, ready_within=60.0)
    process = await child.start(part, folder / "apiserver.log")
    try:
        await process.until_ready()
        yield cluster
    finally:
        await process.stop()


def _flags(folder: Path, port: int, key: Path) -> tuple[str, ...]:
    return (
        f"--bind-address={HOST}",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=AlwaysAllow",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--endpoint-reconciler-type=none",
    )


def _kubeconfig(port: int, token: str) -> dict[str, Any]:
    server = {"server": f"https://{HOST}:{port}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
