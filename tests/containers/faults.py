"""What can happen to a container: killed, stopped, paused, cut off from a network."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.engine import say
from tests.containers.stack import Stack, until

STOP_SECONDS = 12
CLEAN = (0, 143)


def kill_9(stack: Stack, container: str) -> None:
    """SIGKILL from the machine itself, as of the kernel that needs memory; the engine starts the container again.

    (`docker kill` would keep it down. With an init process in the container, that one's child is the service.)
    """
    say(f"kill -9 {container}")
    before = stack.inspect(container)
    pid = int(before["State"]["Pid"])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    os.kill(int(children[0]) if before["HostConfig"]["Init"] else pid, signal.SIGKILL)
    restarts = int(before["RestartCount"])
    until(lambda: int(stack.inspect(container)["RestartCount"]) > restarts, f"{container} started again", 60)


def stop(stack: Stack, container: str) -> None:
    """`docker stop`: the service ends by itself, in time. It stays down."""
    say(f"docker stop {container}")
    since = time.monotonic()
    stack.run("docker", "stop", "-t", "15", container)
    took, code = time.monotonic() - since, int(stack.inspect(container)["State"]["ExitCode"])
    assert code in CLEAN, f"{container} ended with {code}"
    assert took < STOP_SECONDS, f"{container} took {took:.1f} s to stop"


def start(stack: Stack, container: str) -> None:
    say(f"docker start {container}")
    stack.run("docker", "start", container)


@contextmanager
def paused(stack: Stack, container: str) -> Iterator[None]:
    """No process of the container runs in the block; its connections stay."""
    say(f"docker pause {container}")
    stack.run("docker", "pause", container)
    try:
        yield
    finally:
        stack.run("docker", "unpause", container)
        say(f"docker unpause {container}")


@contextmanager
def cut_off(stack: Stack, container: str, network: str) -> Iterator[None]:
    """The container is not on a network of the stack in the block; nobody tells its connections."""
    [name] = [name for name in stack.inspect(container)["NetworkSettings"]["Networks"] if name.endswith(f"_{network}")]
    service = stack.inspect(container)["Config"]["Labels"]["com.docker.compose.service"]
    say(f"docker network disconnect {name} {container}")
    stack.run("docker", "network", "disconnect", name, container)
    try:
        yield
    finally:
        stack.run("docker", "network", "connect", "--alias", service, name, container)
        say(f"docker network connect {name} {container}")
