"""A part as a child process: readiness, its end, and the end of whoever started it."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from local_stack import child
from local_stack.child import Part
from local_stack.errors import CommandFailed, PartFailed

SLEEPER = "import time; print('here I am', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def prints(log: Path, word: str) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return word in log.read_text()

    return ready


def python(code: str, log: Path, word: str, ready_within: float = 10, stop_within: float = 5) -> Part:
    command = (sys.executable, "-c", code)
    return Part("sleeper", command, prints(log, word), ready_within=ready_within, stop_within=stop_within)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(10):
        while alive(pid):
            await asyncio.sleep(0.02)


async def test_a_part_is_ready_when_it_answers_and_ends_by_its_own_signal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = await child.start(python(SLEEPER, log, "here I am"), log)
    await started.until_ready()
    assert started.running
    await started.stop()
    assert await started.wait() == -signal.SIGTERM


async def test_a_part_that_dies_at_the_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = await child.start(python("print('no disk left'); raise SystemExit(3)", log, "never"), log)
    with pytest.raises(PartFailed, match=r"(?s)sleeper ended with code 3; the end of .*no disk left"):
        await started.until_ready()


async def test_a_part_that_never_answers_is_reported_after_its_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = await child.start(python(SLEEPER, log, "never", ready_within=0.5), log)
    with pytest.raises(PartFailed, match="was not ready within"):
        await started.until_ready()
    await started.kill()


async def test_a_part_that_does_not_listen_is_killed_after_its_grace(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = await child.start(python(DEAF, log, "deaf", stop_within=0.3), log)
    await started.until_ready()
    await started.stop()
    assert await started.wait() == -signal.SIGKILL
    assert "was killed by SIGKILL" in started.obituary()


async def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = await child.start(python(SLEEPER, log, "here I am"), log)
    await started.stop()
    await started.stop()
    await started.kill()


async def test_a_part_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    starter = f"""
import asyncio, sys
from pathlib import Path
from local_stack import child
async def ready(): return True
async def main():
    part = child.Part("sleeper", (sys.executable, "-c", {SLEEPER!r}), ready)
    print((await child.start(part, Path({str(tmp_path / "log")!r}))).pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with Popen([sys.executable, "-c", starter], stdout=PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert alive(pid)
        parent.kill()
    await until_dead(pid)


async def test_a_command_that_fails_says_what_it_printed() -> None:
    with pytest.raises(CommandFailed, match=r"(?s)failed with code 7:.*the reason"):
        await child.run(sys.executable, "-c", "print('the reason'); raise SystemExit(7)")


async def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(CommandFailed, match="took more than 0 s"):
        await child.run(sys.executable, "-c", "import time; time.sleep(60)", timeout=0.3)


async def test_a_command_that_is_not_wanted_any_more_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"import os, time; pid = os.fork(); open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(60)"
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run(sys.executable, "-c", code))
        while not pids.exists() or len(pids.read_text().split()) < 2:
            await asyncio.sleep(0.02)
        running.cancel()
    for pid in pids.read_text().split():
        await until_dead(int(pid))
