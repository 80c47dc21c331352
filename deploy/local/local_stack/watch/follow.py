"""One reading of a campaign after another; a connection that is lost is told, and heals."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from math import inf

from local_stack.api import Api, Unreachable
from local_stack.errors import StackError
from local_stack.watch.progress import Progress
from local_stack.watch.reading import Reading, read

EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of a campaign `at` seconds after watching began; `lost`: why it could not be read again."""

    at: float
    reading: Reading
    progress: Progress
    lost: str = ""


async def follow(api: Api, campaign_id: int) -> AsyncIterator[Watched]:
    """Readings without end, the last one again while the API is away.

    Raises StackError when the first reading fails, or the API refuses a later one.
    """
    clock = asyncio.get_running_loop().time
    began, progress = clock(), Progress()
    reading, lost = await read(api, campaign_id, 0.0), ""
    progress.add(reading)
    while True:
        yield Watched(clock() - began, reading, progress, lost)
        await asyncio.sleep(EVERY_SECONDS)
        try:
            reading, lost = await read(api, campaign_id, clock() - began), ""
        except Unreachable as error:
            lost = str(error)
        else:
            progress.add(reading)


async def until(
    is_over: Callable[[Reading], bool], watching: AsyncIterator[Watched], patience: float = inf
) -> AsyncIterator[Watched]:
    """Up to the first of which `is_over` says so. Raises StackError after `patience` seconds."""
    async for watched in watching:
        yield watched
        if not watched.lost and is_over(watched.reading):
            return
        if watched.at > patience:
            raise StackError(f"the campaign has not ended within {patience:.0f} s")
