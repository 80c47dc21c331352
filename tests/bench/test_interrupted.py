"""Ctrl-C while the parts of a bench, a chaos run or a soak come up: it ends by itself and leaves nothing running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

INTERRUPTED = 130
MARK = "PULSE_TEST_MARK"
SOME_PARTS = 5
"""Processes: the run itself, a broker, and PostgreSQL with its own, at least."""
COME_SECONDS, GO_SECONDS = 60.0, 45.0


def marked(mark: str) -> dict[int, str]:
    """The command lines, by pid, of processes that have the mark in their environment."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds:.0f} s"
        time.sleep(0.1)


@pytest.mark.parametrize("run", ["bench", "chaos", "soak"])
def test_a_run_that_is_interrupted_leaves_nothing(run: str, tmp_path: Path) -> None:
    mark, output = uuid4().hex, tmp_path / "output"
    environment = os.environ | {MARK: mark, "PARTS": "ingest", "OUT": str(tmp_path / "out")}
    options = [] if run == "bench" else ["--results", str(tmp_path / "out")]
    with output.open("wb") as file:
        command = [sys.executable, "-m", f"tests.{run}", *options]
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: len(marked(mark)) >= SOME_PARTS, COME_SECONDS)
            process.send_signal(signal.SIGINT)
            code = process.wait(GO_SECONDS)
        finally:
            process.kill()
            process.wait()
    assert (code, marked(mark)) == (INTERRUPTED, {}), output.read_text()
    assert "nothing is left running" in output.read_text()
