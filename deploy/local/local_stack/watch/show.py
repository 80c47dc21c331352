"""What is watched is shown: in place on a terminal, as lines where there is none."""

from collections.abc import AsyncIterator

from rich.console import Console
from rich.live import Live

from local_stack.errors import StackError
from local_stack.watch import timeline
from local_stack.watch.follow import Watched
from local_stack.watch.view import lost, panel, plain

LINE_SECONDS, QUIET_SECONDS = 3.0, 30.0
"""A line at most so often, and at least so often when nothing changes."""


async def show(watching: AsyncIterator[Watched], console: Console) -> Watched:
    """Returns what was known at the end. Raises StackError when there was nothing."""
    last = await (_in_place if console.is_terminal else _as_lines)(watching, console)
    if last is None:
        raise StackError("nothing was read of the campaign")
    return last


async def _in_place(watching: AsyncIterator[Watched], console: Console) -> Watched | None:
    last: Watched | None = None
    with Live(console=console, auto_refresh=False) as live:
        async for last in watching:
            live.update(panel(last, console.width), refresh=True)
    return last


async def _as_lines(watching: AsyncIterator[Watched], console: Console) -> Watched | None:
    last: Watched | None = None
    lines = Lines()
    async for last in watching:
        for line in lines.of(last):
            console.print(line, soft_wrap=True, markup=False)
    return last


class Lines:
    """What there is to say that has not been said: new entries of the timeline, counts, the connection."""

    def __init__(self) -> None:
        self._entries = 0
        self._said: object = None
        self._said_at = 0.0
        self._lost = False

    def of(self, watched: Watched) -> list[str]:
        entries = watched.reading.timeline[self._entries :]
        lines = [timeline.line(entry) for entry in entries]
        self._entries += len(entries)
        if bool(watched.lost) != self._lost:
            self._lost = bool(watched.lost)
            lines.append(lost(watched) if self._lost else "connected again")
        if not self._lost and self._is_due(watched, bool(entries)):
            lines.append(plain(watched))
            self._said, self._said_at = _state(watched), watched.at
        return lines

    def _is_due(self, watched: Watched, happened: bool) -> bool:
        if self._said is None or happened:
            return True
        since = watched.at - self._said_at
        return since >= (LINE_SECONDS if _state(watched) != self._said else QUIET_SECONDS)


def _state(watched: Watched) -> object:
    """What makes another line worth saying."""
    reading = watched.reading
    return reading.status, reading.counts, [stage["status"] for stage in reading.stages]
