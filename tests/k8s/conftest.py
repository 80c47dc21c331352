"""Both overlays as they are rendered from a copy of deploy/k8s, with secrets that its own script has made."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local_stack.child import run
from local_stack.console import find_node
from tests.k8s import cluster as clusters
from tests.k8s.cluster import Cluster
from tests.k8s.manifests import K8S, Manifests, Secrets, render

HERE = Path(__file__).parent
POSTGRES_DSN = "postgresql://postgres:a-superuser's@postgres.example.com:5432/iotcloud?sslmode=require"
_SELF_SIGNED = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=authority -days 1 -keyout /dev/null"
CA = subprocess.run(_SELF_SIGNED.split(), capture_output=True, text=True, check=True, timeout=20).stdout
"""Of the broker's authority."""


def make_secrets(folder: Path) -> None:
    """Runs secrets.sh as its first lines say."""
    authority = folder.parent / "authority.crt"
    authority.write_text(CA, encoding="utf-8")
    given = os.environ | {"POSTGRES_DSN": POSTGRES_DSN, "MQTT_CA": str(authority)}
    subprocess.run([K8S / "secrets.sh", folder], env=given, check=True, timeout=20)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/k8s with the secrets of the small overlay."""
    copy = tmp_path_factory.mktemp("deploy") / "k8s"
    shutil.copytree(K8S, copy, ignore=shutil.ignore_patterns("secrets"))
    make_secrets(copy / "overlays" / "small" / "secrets")
    return copy


@pytest.fixture(scope="session")
def small(deployment: Path) -> Manifests:
    return render(deployment / "overlays" / "small")


@pytest.fixture(scope="session")
def production(deployment: Path) -> Manifests:
    return render(deployment / "overlays" / "production")


@pytest.fixture(params=["small", "production"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """Each overlay in turn."""
    found: Manifests = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def secrets(small: Manifests) -> Secrets:
    """By name and key, as they must be in the cluster for either overlay."""
    return small.secrets()


@pytest.fixture(scope="session")
async def node() -> Path:
    """A Node.js with the definitions of custom resources, fetched once."""
    found = await find_node()
    assert found is not None, "custom resources are checked with Node.js; `make prepare` brings one"
    lock, fetched = HERE / "package-lock.json", HERE / "node_modules" / ".fetched"
    if not fetched.exists() or fetched.read_bytes() != lock.read_bytes():
        path = f"{found.folder}{os.pathsep}{os.environ['PATH']}"
        await run(str(found.folder / "npm"), "--prefix", str(HERE), "ci", timeout=110, env={"PATH": path})
        shutil.copy(lock, fetched)
    return found.folder / "node"


@pytest.fixture(scope="session")
async def control_plane() -> None:
    await clusters.build()


@pytest.fixture
async def cluster(control_plane: None, tmp_path: Path) -> AsyncIterator[Cluster]:
    """An empty one of the test's own."""
    async with clusters.running(tmp_path) as running:
        yield running
