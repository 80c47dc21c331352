"""What the person at the terminal can do with the stack: up, down, status, restart."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from local_stack import control, daemon, in_force
from local_stack.errors import StackError
from local_stack.files import tail
from local_stack.layout import ROOT
from local_stack.packages import Say
from local_stack.settings import StackSettings

STOP_SECONDS = 60.0
START_SECONDS = 900.0


def up(settings: StackSettings, say: Say) -> bool:
    """Starts the stack in the background and returns when all is ready. False: it was up already.

    Raises StackError when it does not come up; nothing is left running then.
    """
    if _comes_up(settings.directory):
        return False
    process = _spawn(settings)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            message: dict[str, Any] = json.loads(line)
            if "failed" in message:
                raise StackError(message["failed"])
            if "ready" in message:
                return True
            say(message["say"])
    except KeyboardInterrupt:
        process.terminate()
        process.wait(STOP_SECONDS)
        raise
    raise StackError(f"the stack ended while it started:\n{tail(_log(settings.directory))}")


def _log(run_dir: Path) -> Path:
    return run_dir / "logs" / "supervisor.log"


def _spawn(settings: StackSettings) -> subprocess.Popen[str]:
    log = _log(settings.directory)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "local_stack.daemon"],
            cwd=ROOT,
            env=os.environ | settings.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )


def _comes_up(run_dir: Path) -> bool:
    """Waits for a stack that somebody else starts or stops; whether it is up in the end. Raises StackError."""
    deadline = time.monotonic() + START_SECONDS
    while daemon.holder(run_dir) is not None:
        with suppress(StackError):
            answer = asyncio.run(control.ask(run_dir, {"do": "status"}, timeout=5))
            if not answer["stopping"] and not any(s in ("waiting", "starting") for s, _ in answer["parts"].values()):
                return True
        if time.monotonic() > deadline:
            raise StackError("the stack is still starting; `make status` says what it waits for")
        time.sleep(0.1)
    return False


def down(settings: StackSettings) -> bool:
    """Stops the stack and returns when all of it has ended. False: it was not up. Raises StackError after a minute."""
    pid = daemon.holder(settings.directory)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while daemon.holder(settings.directory) is not None:
        if time.monotonic() > deadline:
            raise StackError(f"the supervisor (pid {pid}) has not ended within {STOP_SECONDS:.0f} s")
        time.sleep(0.05)
    return True


def status(run_dir: Path) -> dict[str, tuple[str, int | None]]:
    """State and pid by part. Raises StackError when the stack is not up."""
    parts = asyncio.run(control.ask(run_dir, {"do": "status"}))["parts"]
    return {name: (state, pid) for name, (state, pid) in parts.items()}


def not_in_force(settings: StackSettings, environment: Mapping[str, str]) -> list[str]:
    """A line for each setting that is given now and differs from the running stack's. Raises StackError."""
    running = asyncio.run(control.ask(settings.directory, {"do": "settings"})).get("settings", {})
    return in_force.differences(settings, environment, running) if running else []


def restart(run_dir: Path, part: str) -> None:
    """Starts a part again, stopping it first if it runs; returns when it is ready. Raises StackError."""
    asyncio.run(control.ask(run_dir, {"do": "restart", "part": part}))
