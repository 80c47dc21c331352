"""A fleet from its start to its end: a signal, the time, or nothing more to do."""

import asyncio
import gc
import signal
import time
from pathlib import Path

import msgspec
from rich.console import Console

from fleetsim.fleet import Fleet
from fleetsim.options import RunOptions, allow_open_files
from fleetsim.show import say, show
from fleetsim.summary import Stopwatch, summary, told

ENDED, INTERRUPTED = 0, 130
LOOK_SECONDS = 0.2


class End:
    """Set when the fleet is to end; `code` is the process's exit code then."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.code = ENDED

    def listen(self) -> None:
        """SIGTERM is a regular end, Ctrl-C an interruption."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.event.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)

    def _interrupt(self) -> None:
        self.code = INTERRUPTED
        self.event.set()


async def live(options: RunOptions) -> int:
    """Run the fleet that the options describe; returns the exit code. Raises OptionsError, OSError for a file."""
    options.check()
    behaviour, broker, shared = options.behaviour(), options.broker(options.keepalive), options.shared()
    accounts = options.accounts(options.version)
    fetching = options.downloads if behaviour.fetch else 0
    allow_open_files(fetching + (shared.count(len(accounts)) if shared else len(accounts)))
    fleet = Fleet(
        accounts,
        broker,
        behaviour,
        shared=shared,
        state=options.state,
        history=options.history,
        downloads=options.downloads,
        connect_rate=options.connect_rate or None,
        presence=options.presence,
    )
    gc.freeze()  # what lives to the end need not be looked at in each collection
    return await _from_start_to_end(fleet, options)


async def _from_start_to_end(fleet: Fleet, options: RunOptions) -> int:
    end, watch, console = End(), Stopwatch.start(), Console()
    end.listen()
    async with fleet:
        async with asyncio.TaskGroup() as group:
            showing = group.create_task(show(fleet, console, end.event))
            ending = group.create_task(_end(fleet, options, end))
            await end.event.wait()
            ending.cancel()
            await showing
        counts = summary(fleet, watch)
    say(console, told(counts))
    if options.summary is not None:
        _write(options.summary, counts)
    return end.code


async def _end(fleet: Fleet, options: RunOptions, end: End) -> None:
    """Set the end when the time is over, or nothing has happened for long enough."""
    started = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = time.monotonic()
        is_over = options.run_for is not None and now - started >= options.run_for
        is_idle = options.idle is not None and fleet.idle_seconds(now) >= options.idle
        if is_over or is_idle:
            end.event.set()
            return


def _write(path: Path, counts: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(counts), indent=2) + b"\n")
