"""The demo from the outside, on a whole stack of its own: a good firmware, then a bad one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from local_stack import commands, daemon
from local_stack.ports import free_ports, is_free
from local_stack.services import PORTS_EACH, SERVICES
from local_stack.settings import StackSettings

pytestmark = pytest.mark.timeout(240)


def service_port() -> int:
    """The first of ports that the services' processes can have."""
    while True:
        [first] = free_ports(1)
        wanted = [first + PORTS_EACH * place for place in range(len(SERVICES))]
        if wanted[-1] < 65_000 and all(map(is_free, wanted)):
            return first


@pytest.fixture
def settings() -> Iterator[StackSettings]:
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
        service_port=service_port(),
    )
    yield made
    commands.down(made)


def demo(settings: StackSettings, **wishes: str) -> str:
    """Runs a demo to its end and returns what it printed, in which wrapped cells are one text again."""
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


def test_demo_settles_every_device_and_takes_down_the_stack_it_brought_up(settings: StackSettings) -> None:
    output = demo(settings, FAIL="0.05", FLAKY="0.05", OFFLINE="0", SEED="1")
    assert "COMPLETED: success 38, failed 2" in output
    assert "failed: install_failed" in output
    assert "failed: bad_checksum" in output
    assert "devices/min of at most 2400" in output
    assert daemon.holder(settings.directory) is None


def test_demo_of_a_bad_firmware_stops_by_itself_and_leaves_a_stack_that_was_up(settings: StackSettings) -> None:
    commands.up(settings, print)
    output = demo(settings, FAIL="0.9", FLAKY="0", OFFLINE="0", RATE="600")
    assert "abort_sequential" in output
    assert "ABORTED" in output
    assert "skipped" in output
    assert daemon.holder(settings.directory) is not None


def test_wish_that_cannot_be_is_refused_before_anything_starts(settings: StackSettings) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "local_stack.demo"],
        env=os.environ | settings.environment() | {"DEVICES": "none"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert "DEVICES" in refused.stdout
    assert daemon.holder(settings.directory) is None
