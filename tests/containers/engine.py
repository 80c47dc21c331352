"""A Docker engine and Compose: those that are there, else installed and started for as long as the tests run."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.errors import StackError
from local_stack.layout import ROOT
from local_stack.packages import install

START_SECONDS = 60
COMPOSE_LOCK = ROOT / "requirements" / "compose.txt"


def say(line: str) -> None:
    """Tells the person at the terminal what happens."""
    print(f"· {line}", flush=True)


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """An engine that answers. One started here ends here; its log is `folder`/dockerd.log. Raises StackError."""
    if _answers():
        say("a Docker engine runs already")
        yield
        return
    if shutil.which("dockerd") is None:
        asyncio.run(install("docker.io", "A Docker engine", say))
    say(f"starting a Docker engine; its log is {folder / 'dockerd.log'}")
    with (folder / "dockerd.log").open("wb") as log:
        engine = subprocess.Popen(["dockerd"], stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(engine, folder / "dockerd.log")
            yield
        finally:
            engine.terminate()
            engine.wait(START_SECONDS)
            say("stopped the Docker engine")


def _answers() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


def _wait_for(engine: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers():
        if engine.poll() is not None or time.monotonic() > deadline:
            end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            raise StackError(f"the Docker engine does not start (it needs root):\n{end}")
        time.sleep(0.3)


def with_compose(folder: Path) -> dict[str, str]:
    """The environment in which `docker compose` is there: this one, or one with a Compose of `folder`'s own."""
    present = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if present.returncode == 0:
        return dict(os.environ)
    say("there is no Docker Compose; fetching it as a Python wheel")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "--target", str(folder / "compose"), "-r", str(COMPOSE_LOCK)], check=True)
    plugins = folder / "docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(folder / "compose" / "bin" / "docker-compose")
    return os.environ | {"DOCKER_CONFIG": str(folder / "docker")}
