"""Careful demos on a whole stack: stages with gates, the ramp, and the live view of what they leave."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from local_stack import commands
from local_stack.demo.settings import IMPATIENT
from local_stack.layout import ROOT
from local_stack.settings import StackSettings
from tests.local.demo_stack import demo, own_stack

pytestmark = pytest.mark.timeout(170)


@pytest.fixture(scope="module")
def settings() -> Iterator[StackSettings]:
    with own_stack() as made, pytest.MonkeyPatch.context() as environment:
        for name, value in IMPATIENT.items():
            environment.setenv(name, value)
        commands.up(made, print)
        yield made


def watch(settings: StackSettings, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local_stack", "watch", *words],
        env=os.environ | settings.environment() | {"COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def campaign_of(output: str) -> str:
    found = re.search(r"starting campaign (\d+)", output)
    assert found is not None, output
    return found[1]


def number(output: str, row: str) -> int:
    """A number of the summary."""
    found = re.search(rf"│ {row} +│ ([\d,]+) ", output)
    return int(found[1].replace(",", "")) if found else 0


def test_canary_goes_through_its_stages_and_can_be_watched_to_the_same_end(settings: StackSettings) -> None:
    output = demo(settings, STRATEGY="canary", SOAK="5", DEVICES="60", FAIL="0", FLAKY="0", OFFLINE="0")
    assert output.count("gate passed by the system") == 2
    assert "10 succeeded; soaking, " in output
    assert re.search(r"gate passed by the system · .*succeeded 10", output)
    assert "COMPLETED: success 60" in output
    with watch(settings, campaign_of(output)) as watching:
        seen, _ = watching.communicate(timeout=30)
    assert watching.returncode == 0, seen
    assert seen.count("gate passed by the system") == 2
    assert "COMPLETED: success 60" in seen


def test_canary_of_a_bad_firmware_stops_with_the_evidence_in_the_timeline(settings: StackSettings) -> None:
    output = demo(settings, STRATEGY="canary", SOAK="2", DEVICES="300", FAIL="0.3", FLAKY="0", OFFLINE="0")
    gate = re.search(r"gate failed by rule gate_failed · the stage needs .* failed, so that .*min success", output)
    rule = re.search(r"aborted by rule abort_sequential · \d+ of \d+ dispatched devices failed.*dispatched \d", output)
    assert gate or rule, output
    assert number(output, "failed") < 40


@pytest.mark.parametrize(
    ("fail_seconds", "install_seconds"), [("1", "5..5.5"), ("6", "1.5..2")], ids=["failures first", "successes first"]
)
def test_ramp_stops_a_firmware_that_half_of_2000_devices_fail_below_30(
    settings: StackSettings, fail_seconds: str, install_seconds: str
) -> None:
    output = demo(
        settings,
        DEVICES="2000",
        RATE="600",
        RAMP="10,0.5",
        FAIL="0.5",
        FLAKY="0",
        OFFLINE="0",
        FAILURES="install",
        FAIL_SECONDS=fail_seconds,
        INSTALL_SECONDS=install_seconds,
    )
    assert "aborted by rule abort_sequential" in output
    assert 3 <= number(output, "failed") < 30, output
    assert number(output, "skipped") > 1_900


def test_watching_without_end_ends_cleanly_when_interrupted(settings: StackSettings) -> None:
    with watch(settings, "1", "--forever") as watching:
        assert watching.stdout is not None
        assert "created by demo" in watching.stdout.readline()
        time.sleep(2)
        assert watching.poll() is None
        watching.send_signal(signal.SIGINT)
        rest, _ = watching.communicate(timeout=10)
    assert watching.returncode == 0
    assert "stopped watching; the campaign goes on" in rest
    assert "Traceback" not in rest


def interrupted(settings: StackSettings, until: str, *words: str, **wishes: str) -> str:
    """What make prints on a terminal of its own on which somebody types Ctrl-C once `until` is there."""
    terminal = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
    with subprocess.Popen(
        [*terminal, "make", *words],
        cwd=ROOT,
        env=os.environ | settings.environment() | {"COLUMNS": "200"} | wishes,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as made:
        assert made.stdin is not None
        assert made.stdout is not None
        seen, typed = "", False
        while part := made.stdout.read(4096).decode(errors="replace"):
            seen += part
            if until in seen and not typed:
                typed = bool(made.stdin.write(b"\x03"))
    return seen


@pytest.mark.parametrize(
    ("words", "until", "said"),
    [
        (("demo",), "starting campaign", "stopped"),
        (("watch", "CAMPAIGN=1", "FOREVER=1"), "timeline", "stopped watching; the campaign goes on"),
    ],
    ids=["demo", "watch"],
)
def test_ctrl_c_is_no_error_of_make(settings: StackSettings, words: tuple[str, ...], until: str, said: str) -> None:
    seen = interrupted(settings, until, *words, DEVICES="40", RATE="60")
    assert said in seen
    assert "Error" not in seen
    assert "Traceback" not in seen


def test_watching_what_is_not_there_says_so(settings: StackSettings) -> None:
    with watch(settings, "1", "--tenant", "somebody-else") as watching:
        said, _ = watching.communicate(timeout=30)
    assert watching.returncode == 1
    assert "tenant somebody-else has no campaign 1" in said
