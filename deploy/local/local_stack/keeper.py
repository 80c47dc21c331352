"""Keeps one part running: started, watched, reported when it dies, started again when that is wanted."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from local_stack import child
from local_stack.child import Child, Part
from local_stack.errors import PartFailed
from local_stack.packages import Say

RESTART_SECONDS = 1.0


class State(StrEnum):
    """Where a part stands."""

    WAITING = "waiting"
    STARTING = "starting"
    UP = "up"
    DOWN = "down"


class Keeper:
    """One part over its lives. `restarts`: it is started again a second after it died, without being asked."""

    def __init__(self, name: str, log: Path, *, restarts: bool, say: Say, changed: Callable[[], None]) -> None:
        self.name = name
        self.state = State.WAITING
        self._log = log
        self._restarts = restarts
        self._say = say
        self._changed = changed
        self._part: Part | None = None
        self._child: Child | None = None
        self._wanted = asyncio.Event()
        self._up = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """None while no process is there."""
        return self._child.pid if self._child is not None and self._child.running else None

    async def start(self, part: Part) -> None:
        """Returns when the part is ready. Raises PartFailed."""
        self._part = part
        self._child = await child.start(part, self._log)
        self._become(State.STARTING)
        await self._child.until_ready()
        self._become(State.UP)

    def _become(self, state: State) -> None:
        self.state = state
        if state is State.UP:
            self._up.set()
        else:
            self._up.clear()
        self._changed()

    async def keep(self) -> None:
        """Watches the started part until cancelled."""
        while self._child is not None and self._part is not None:
            await self._child.wait()
            self._become(State.DOWN)
            await self._until_wanted(self._child)
            await self._live_again(self._part)

    async def _live_again(self, part: Part) -> None:
        """A part that takes longer than its time is up all the same, once it answers."""
        self._child = await child.start(part, self._log)
        self._become(State.STARTING)
        while self._child.running:
            try:
                await self._child.until_ready()
            except PartFailed as error:
                if self._child.running:
                    self._say(str(error))
            else:
                self._become(State.UP)
                return

    async def _until_wanted(self, dead: Child) -> None:
        if not self._wanted.is_set():
            self._say(dead.obituary())
            with suppress(TimeoutError):
                async with asyncio.timeout(RESTART_SECONDS if self._restarts else None):
                    await self._wanted.wait()
        self._wanted.clear()

    async def restart(self) -> None:
        """Stops the part if it runs, and starts it (again). Raises PartFailed when it is not ready in its time."""
        if self._child is None or self._part is None:
            raise PartFailed(f"{self.name} has not been started yet")
        self._up.clear()
        self._wanted.set()
        await self._child.stop()
        try:
            async with asyncio.timeout(self._part.ready_within):
                await self._up.wait()
        except TimeoutError:
            raise PartFailed(f"{self.name} is not ready again; see {self._log}") from None

    async def stop(self) -> None:
        """For good; nobody must be keeping it any more."""
        if self._child is not None:
            await self._child.stop()
            self._become(State.DOWN)
