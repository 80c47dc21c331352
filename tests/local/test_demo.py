"""The demo from the outside, on a whole stack of its own: a good firmware, then a bad one."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local_stack import commands, daemon
from local_stack.settings import StackSettings
from tests.local.demo_stack import demo, own_stack

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def settings() -> Iterator[StackSettings]:
    with own_stack() as made:
        yield made


def test_demo_settles_every_device_and_takes_down_the_stack_it_brought_up(settings: StackSettings) -> None:
    output = demo(settings, FAIL="0.05", FLAKY="0.05", OFFLINE="0", SEED="191")
    assert "COMPLETED: success 38, failed 2" in output
    assert "failed: install_failed" in output
    assert "failed: bad_checksum" in output
    assert "devices/min of at most 2,400" in output
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
