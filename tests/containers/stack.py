"""The Compose stack in a copy of this checkout: project, ports and secrets of its own, files as they are."""

import fcntl
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from local_stack.layout import ROOT
from local_stack.ports import free_ports
from tests.containers.engine import say

PROJECT = "pulse-ota-test"
PROFILES = ("--profile", "development", "--profile", "simulator")
PORTS = ("GATEWAY_PORT", "MQTT_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT")
IMPATIENT = {"RETRY_BACKOFF_SECONDS": "3", "OFFLINE_BACKOFF_SECONDS": "3", "FLEET_FAIL": "0"}
SERVICES = ("catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc")
BUILD_SECONDS, UP_SECONDS = 1200, 300
IN_USE = "has active endpoints"
"""What the engine says of a network that cannot be removed yet."""
_WITHOUT = "services:\n{}"


@dataclass(frozen=True, slots=True)
class Stack:
    """`deploy` is the copy's folder of the Compose file; `environment` is that of every command."""

    deploy: Path
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.environment['GATEWAY_PORT']}"

    def run(self, *command: str, seconds: float = 60, stdin: str = "") -> str:
        """What a command in the folder of the Compose file prints. Fails with its last lines when it fails."""
        done = subprocess.run(
            command, cwd=self.deploy, env=self.environment, input=stdin, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{said}"
        return done.stdout

    def compose(self, *words: str, seconds: float = 60) -> str:
        return self.run("docker", "compose", *PROFILES, *words, seconds=seconds)

    def up(self, *words: str) -> float:
        """Returns when everything is healthy: after so many seconds."""
        since = time.monotonic()
        self.run("docker", "compose", "--profile", "development", "up", "-d", "--wait", *words, seconds=UP_SECONDS)
        return time.monotonic() - since

    def scale(self, replicas: int) -> float:
        """So many replicas of each service, all healthy; after so many seconds."""
        return self.up(*(word for service in SERVICES for word in ("--scale", f"{service}={replicas}")))

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What Compose says of the containers, those that have ended too."""
        lines = self.compose("ps", "-a", "--format", "json", *([service] if service else [])).splitlines()
        return sorted((json.loads(line) for line in lines), key=lambda container: str(container["Name"]))

    def replicas(self, service: str) -> list[str]:
        """The names of a service's containers, in order."""
        return [container["Name"] for container in self.containers(service)]

    def inspect(self, container: str) -> dict[str, Any]:
        [found] = json.loads(self.run("docker", "inspect", container))
        return dict(found)

    def rows(self, statement: str) -> list[list[str]]:
        """The rows of a query, as the database's superuser."""
        psql = ("docker", "exec", "iot-postgres", "psql", "-U", "iot", "-d", "iotcloud", "-tA", "-F", "\t", "-c")
        return [line.split("\t") for line in self.run(*psql, statement).splitlines()]

    def until_healthy(self, *services: str, seconds: float = 120) -> None:
        def healthy() -> bool:
            containers = [container for service in services for container in self.containers(service)]
            return all(container["Health"] == "healthy" for container in containers)

        until(healthy, f"{', '.join(services)} healthy", seconds)


def until(holds: Callable[[], bool], what: str, seconds: float, pause: float = 0.5) -> float:
    """Returns when something holds: after so many seconds. Fails when it does not in time."""
    since = time.monotonic()
    while not holds():
        assert time.monotonic() - since < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
    return time.monotonic() - since


def copy_checkout(target: Path) -> Path:
    """What a clone of this checkout would have, with what is not committed yet; its folder of the Compose file."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    for name in filter(None, subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target / "deploy"


def environment_of(base: Mapping[str, str], deploy: Path, left_out: set[str]) -> dict[str, str]:
    """The settings of the stack's commands; services named by `left_out`, whose images cannot be had, are not in it."""
    overlay = deploy / "without.yaml"
    overlay.write_text(_WITHOUT.format("".join(f"  {name}: !reset null\n" for name in sorted(left_out)) or "  {}\n"))
    names = {
        "COMPOSE_PROJECT_NAME": PROJECT,
        "COMPOSE_FILE": f"{deploy / 'compose.yaml'}:{overlay}",
        "TAG": "test",
        "DOCKER_BUILDKIT": "0",  # part of every engine; the other builder is a plugin of its own
    }
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    return {**base, **names, **ports, **IMPATIENT}


@contextmanager
def only_one() -> Iterator[None]:
    """No other run on this machine has the stack, which each takes down at its end. Fails if one has."""
    with (Path(gettempdir()) / f"{PROJECT}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AssertionError(f"another run on this machine has the stack {PROJECT}; wait for its end") from None
        yield


def refuse_to_share(stack: Stack) -> None:
    """Fails where a stack of somebody else has the one container with a name of its own."""
    named = ("docker", "ps", "-a", "--filter", "name=^iot-postgres$", "--format")
    owner = stack.run(*named, '{{.Label "com.docker.compose.project"}}').strip()
    assert owner in {"", PROJECT}, f"a stack {owner!r} has the container iot-postgres; take it down first"


@contextmanager
def cleaned_up(stack: Stack, failed: Callable[[], bool]) -> Iterator[Stack]:
    """The stack goes at the end with its volumes; if something has `failed`, its last words are printed first."""
    try:
        yield stack
    finally:
        if failed():
            last_words(stack)
        take_down(stack)
        say("the stack is down, its volumes are gone")


def take_down(stack: Stack, seconds: float = 60, pause: float = 1) -> None:
    """Removes containers, volumes and networks. Who is still leaving a network is waited for, then it is tried again.

    Fails after so many seconds of that, with the engine's words.
    """
    deadline = time.monotonic() + seconds
    while refusal := _down(stack):
        say("a network is still in use; waiting for who is attached, then once more")
        time.sleep(pause)
        left = max(0.0, deadline - time.monotonic())
        until(lambda: not attached(stack), f"nobody is attached to the networks of {PROJECT}", left, pause)
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {refusal}"


def _down(stack: Stack) -> str:
    """Empty when all is gone; else the engine's words, if they are that a network is in use. Fails for other ones."""
    try:
        stack.compose("down", "-v", "--remove-orphans", "-t", "5", seconds=120)
    except AssertionError as error:
        if IN_USE not in str(error):
            raise
        return str(error)
    return ""


def attached(stack: Stack) -> str:
    """The names of the containers that are on a network of the stack."""
    networks = stack.run(
        "docker", "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}"
    ).split()
    names = "{{range .Containers}}{{.Name}} {{end}}"
    return stack.run("docker", "network", "inspect", "-f", names, *networks).strip() if networks else ""


def last_words(stack: Stack) -> None:
    """Prints which containers run, and the ends of their logs."""
    for words in (("ps", "-a", "--no-trunc"), ("logs", "--no-color", "--tail", "40")):
        command = ["docker", "compose", *PROFILES, *words]
        subprocess.run(command, cwd=stack.deploy, env=stack.environment, stderr=subprocess.STDOUT, check=False)
