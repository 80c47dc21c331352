"""Follow a campaign to its end, and show it on the way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live

from local_stack.demo.api import Api
from local_stack.demo.progress import Progress, Reading, reasons
from local_stack.demo.view import Reasons, panel, plain
from local_stack.errors import StackError

EVERY_SECONDS = 0.5
PLAIN_EVERY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of a campaign at the moment."""

    reading: Reading
    progress: Progress
    reasons: Reasons


async def readings(api: Api, campaign_id: int, patience: float) -> AsyncIterator[Watched]:
    """One after another, up to the one that says that every device is settled.

    Raises StackError when that takes longer than `patience` seconds.
    """
    clock = asyncio.get_running_loop().time
    began, progress = clock(), Progress()
    while True:
        reading = Reading(clock() - began, await api.campaign(campaign_id))
        progress.add(reading)
        failed = await api.failed_devices(campaign_id) if reading.counts["FAILED"] else []
        yield Watched(reading, progress, reasons(failed))
        if reading.is_settled:
            return
        if reading.at > patience:
            raise StackError(f"the campaign has not ended within {patience:.0f} s")
        await asyncio.sleep(EVERY_SECONDS)


async def show(watching: AsyncIterator[Watched], console: Console) -> Watched:
    """A panel on a terminal, elsewhere a line now and then; returns what was known at the end."""
    last: Watched | None = None
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            async for last in watching:
                live.update(panel(last.reading, last.progress, last.reasons, console.width), refresh=True)
    else:
        due = 0.0
        async for last in watching:
            if last.reading.at >= due or last.reading.is_settled:
                due = last.reading.at + PLAIN_EVERY_SECONDS
                console.print(plain(last.reading, last.progress, last.reasons), soft_wrap=True, markup=False)
    if last is None:
        raise StackError("nothing was read of the campaign")
    return last
