"""How a service process starts and ends: settings, logs, signals, a clean stop within ten seconds."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import structlog
import uvloop

from pulse.runtime import logs, saturation, settings
from pulse.runtime.errors import StartRefused
from pulse.runtime.tracing import TRACES

S = TypeVar("S", bound=settings.ServiceSettings)
T = TypeVar("T")
STOP_SECONDS = 9.0
"""How long after SIGTERM the tasks may take; what then still runs is cancelled."""

OBJECTS_BETWEEN_LOOKS = 50_000

log = structlog.get_logger()


def run(service: str, kind: type[S], main: Callable[[S, asyncio.Event], Coroutine[Any, Any, None]]) -> NoReturn:
    """Runs `main(settings, stop)` until it returns, and ends the process; SIGTERM and SIGINT set `stop`.

    Exit codes: 0 clean stop, 1 a failure (its trace is in the log), 2 start refused (one line on standard error).
    """
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            loaded = settings.load(kind)
            TRACES.configure(service)
            logs.configure(service, loaded.log_level)
            _look_for_garbage_seldom()
            runner.run(_guarded(service, main, loaded))
    except* StartRefused as group:
        print(f"{service}: {_first(group)}", file=sys.stderr)
        code = 2
    except* Exception:  # the process's outermost place: say what it was, in the log's own form, and end
        log.exception("failed")
        code = 1
    TRACES.flush()
    sys.exit(code)


def _look_for_garbage_seldom() -> None:
    """Nearly all that a message makes is freed by its count of references; only cycles need looking for.

    By default that is done each 700 objects, and from time to time through all that live: a third of ingest's time.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now lives to the end
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS, 20, 20)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _guarded(service: str, main: Callable[[S, asyncio.Event], Coroutine[Any, Any, None]], loaded: S) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("starting")
    async with asyncio.TaskGroup() as group:
        work = group.create_task(main(loaded, stop), name=service)
        watches = [
            group.create_task(_cancel_late(stop, work), name="stop-watch"),
            group.create_task(saturation.watch(), name="loop-watch"),
        ]
        await asyncio.wait([work])
        for watch in watches:
            watch.cancel()
    log.info("stopped")


async def _cancel_late(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    await stop.wait()
    log.info("stopping")
    await asyncio.sleep(STOP_SECONDS)
    log.error("stop_takes_too_long", seconds=STOP_SECONDS)
    work.cancel()


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` returns; None at `stop`, which cancels it. Raises what it raises."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work)
        stopping = group.create_task(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        stopping.cancel()
    return None if working.cancelled() else working.result()


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Sleeps; True as soon as `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
