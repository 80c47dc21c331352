"""Two lanes for what must be written one after the other: each device is always in the same one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from pulse.contracts.status import Heard
from status_ingest_svc.batch import Batch, Part

BOTH = (0, 1)
WORTH_HALVING = 200
"""Messages; with fewer, a second transaction costs more than what it does."""


class Load(NamedTuple):
    """What goes through its lanes together: parts with their events, each written after the one before."""

    lanes: Sequence[int]
    parts: Sequence[tuple[Part, Sequence[Heard]]]


class Lanes:
    """In each lane one load at a time, in the order in which they came; what is behind a load waits only for that."""

    def __init__(self) -> None:
        self._locks = [asyncio.Lock() for _ in BOTH]

    @asynccontextmanager
    async def through(self, load: Load) -> AsyncIterator[None]:
        """Held while a load is written."""
        async with AsyncExitStack() as held:
            for lane in load.lanes:
                await held.enter_async_context(self._locks[lane])
            yield


def loads(batch: Batch) -> list[Load]:
    """A batch by lanes, or as one load where it is small: pure."""
    steps = batch.numbered, batch.bare
    if sum(len(part.taken) for part in steps) < WORTH_HALVING:
        return _load(BOTH, steps)
    halves = [part.halves() for part in steps]
    return [load for lane in BOTH for load in _load((lane,), [half[lane] for half in halves])]


def _load(lanes: Sequence[int], parts: Sequence[Part]) -> list[Load]:
    loaded = [(part, part.events()) for part in parts if part]
    return [Load(lanes, loaded)] if loaded else []
