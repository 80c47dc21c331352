"""What a person sees of a fleet at work: a table that changes in place, or a plain line now and then."""

import asyncio
import time
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table

from fleetsim.fleet import Fleet
from fleetsim.tally import Tally

PLAIN_EVERY_SECONDS = 5.0
LIVE_EVERY_SECONDS = 0.5


async def show(fleet: Fleet, console: Console, over: asyncio.Event) -> None:
    """Until `over`. Without a terminal: a line at once, and then ever less often."""
    if not console.is_terminal:
        pause = 0.5
        while not await set_within(over, pause):
            say(console, line(fleet.tally, len(fleet)))
            pause = min(2 * pause, PLAIN_EVERY_SECONDS)
        return
    started = time.monotonic()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not await set_within(over, LIVE_EVERY_SECONDS):
            live.update(table(fleet, time.monotonic() - started), refresh=True)


async def set_within(event: asyncio.Event, timeout: float) -> bool:
    """Whether the event is set before `timeout` seconds are over."""
    try:
        async with asyncio.timeout(timeout):
            return await event.wait()
    except TimeoutError:
        return False


def say(console: Console, text: str) -> None:
    """A line as it is, however wide the terminal."""
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def line(tally: Tally, devices: int) -> str:
    """What the fleet has done so far, in one line."""
    trouble = f"; {tally.trouble}" if tally.trouble and tally.connected < devices else ""
    return (
        f"{tally.connected} of {devices} devices connected, {tally.commands} commands, {tally.at_work} at work, "
        f"{tally.succeeded} installed, {tally.failed} failed, {tally.silent} fell silent, "
        f"{tally.reports} reports delivered, {tally.undelivered} refused or unheard{trouble}"
    )


def table(fleet: Fleet, seconds: float) -> Table:
    """The same for eyes, with what there is room for on a terminal."""
    tally = fleet.tally
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    rows = {
        "devices": f"{tally.connected:,} of {len(fleet):,} connected, {tally.away:,} off the network on purpose",
        "commands": f"{tally.commands:,} ({tally.commands_per_second:,.0f}/s), {tally.repeats:,} of them repeats",
        "updates": f"{tally.at_work:,} at work, {_outcomes(tally.outcomes) or 'none ended yet'}",
        "reports": f"{tally.reports:,} delivered, {tally.undelivered:,} refused or unheard, "
        f"{tally.unanswered:,} without an answer",
        "time": f"{seconds:,.0f} s; Ctrl-C ends it",
    }
    if tally.trouble and tally.connected + tally.away < len(fleet):
        rows["trouble"] = tally.trouble
    for name, text in rows.items():
        grid.add_row(name, text)
    return grid


def _outcomes(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items()))
