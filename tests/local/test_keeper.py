"""A part over its lives: it dies, it is reported, it comes back when it should."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from local_stack.child import Part
from local_stack.errors import PartFailed
from local_stack.keeper import Keeper, State


class Kept:
    """A keeper with what it said and how its state went."""

    def __init__(self, folder: Path, *, restarts: bool) -> None:
        self.said: list[str] = []
        self.states: list[State] = []
        self.log = folder / "log"
        self.keeper = Keeper("sleeper", self.log, restarts=restarts, say=self.said.append, changed=self._note)

    def _note(self) -> None:
        self.states.append(self.keeper.state)

    def state(self) -> State:
        return self.keeper.state

    def pid(self) -> int | None:
        return self.keeper.pid

    async def ready(self) -> bool:
        return "ready" in self.log.read_text()

    def part(self, code: str = "import time; print('ready', flush=True); time.sleep(60)") -> Part:
        return Part("sleeper", (sys.executable, "-c", code), self.ready, ready_within=10)

    async def until(self, state: State) -> None:
        async with asyncio.timeout(10):
            while self.keeper.state is not state:
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        pid = self.keeper.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await self.until(State.DOWN)


@asynccontextmanager
async def kept(folder: Path, *, restarts: bool) -> AsyncIterator[Kept]:
    made = Kept(folder, restarts=restarts)
    await made.keeper.start(made.part())
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(made.keeper.keep())
        yield made
        watch.cancel()
    await made.keeper.stop()


async def test_a_service_that_dies_is_reported_and_started_again(tmp_path: Path) -> None:
    async with kept(tmp_path, restarts=True) as made:
        first = made.pid()
        await made.kill()
        assert made.pid() is None
        await made.until(State.UP)
        assert made.pid() not in (None, first)
        assert len(made.said) == 1
        assert made.said[0].startswith("sleeper was killed by SIGKILL; the end of")
        assert made.said[0].endswith("ready")


async def test_a_part_that_is_not_restarted_stays_down_until_asked_for(tmp_path: Path) -> None:
    async with kept(tmp_path, restarts=False) as made:
        await made.kill()
        await asyncio.sleep(1.3)
        assert made.state() is State.DOWN
        await made.keeper.restart()
        assert made.state() is State.UP
        assert made.pid() is not None


async def test_a_wanted_restart_is_no_death(tmp_path: Path) -> None:
    async with kept(tmp_path, restarts=False) as made:
        first = made.pid()
        await made.keeper.restart()
        assert made.pid() not in (None, first)
        assert made.said == []
        assert made.states == [State.STARTING, State.UP, State.DOWN, State.STARTING, State.UP]


async def test_a_part_that_fails_at_its_start_says_why(tmp_path: Path) -> None:
    made = Kept(tmp_path, restarts=True)
    with pytest.raises(PartFailed, match=r"(?s)ended with code 1.*out of luck"):
        await made.keeper.start(made.part("raise SystemExit('out of luck')"))


async def test_a_part_that_was_never_started_cannot_be_restarted(tmp_path: Path) -> None:
    made = Kept(tmp_path, restarts=True)
    with pytest.raises(PartFailed, match="has not been started yet"):
        await made.keeper.restart()
    await made.keeper.stop()
