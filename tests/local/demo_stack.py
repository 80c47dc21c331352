"""A whole stack on ports of its own, and demos run on it from the outside."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from local_stack import commands
from local_stack.ports import free_ports, is_free
from local_stack.services import PORTS_EACH, SERVICES
from local_stack.settings import StackSettings


@contextmanager
def own_stack() -> Iterator[StackSettings]:
    """Settings of a stack that nobody else uses; whatever runs of it is stopped at the end."""
    folder = Path(mkdtemp(prefix="pulse-demo-"))
    folder.chmod(0o711)
    gateway, postgres, kafka, controller, mqtt = free_ports(5)
    made = StackSettings(
        run_dir=folder,
        gateway_port=gateway,
        postgres_port=postgres,
        kafka_port=kafka,
        kafka_controller_port=controller,
        mqtt_port=mqtt,
        service_port=_service_port(),
    )
    try:
        yield made
    finally:
        commands.down(made)


def _service_port() -> int:
    """The first of ports that the services' processes can have."""
    while True:
        [first] = free_ports(1)
        wanted = [first + PORTS_EACH * place for place in range(len(SERVICES))]
        if wanted[-1] < 65_000 and all(map(is_free, wanted)):
            return first


def demo(settings: StackSettings, **wishes: str) -> str:
    """Runs a demo to its end and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "local_stack.demo"],
        env=os.environ | settings.environment() | {"DEVICES": "40", "RATE": "2400", "COLUMNS": "200"} | wishes,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
