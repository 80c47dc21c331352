"""`python -m local_stack.daemon`: the background process of `make up`; tells its starter on standard output.

One line of JSON per message: `{"say": …}` while it starts, then `{"ready": true}` or `{"failed": …}`.
"""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_stack import control
from local_stack.errors import StackError
from local_stack.settings import load
from local_stack.supervisor import Supervisor

LOCK = "supervisor.lock"


def say(line: str) -> None:
    """To the log, with the time, and to whoever started us."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(f"{stamp} {line}", file=sys.stderr, flush=True)
    tell(say=line)


def tell(**message: Any) -> None:
    """To whoever started us, if it still listens."""
    with suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)


def _let_go() -> None:
    """From here on nobody listens on standard output; the log is on standard error."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def only_one(run_dir: Path) -> Iterator[None]:
    """Holds the stack's lock for as long as this process lives. Raises StackError when another one has it."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError("another supervisor runs this stack") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def holder(run_dir: Path) -> int | None:
    """The pid of the supervisor that holds the stack's lock, or None when nobody does."""
    try:
        with (run_dir / LOCK).open(encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        text = (run_dir / LOCK).read_text(encoding="utf-8")
        return int(text) if text else None
    return None


async def supervise(supervisor: Supervisor) -> None:
    """Until SIGTERM or SIGINT. Raises StackError when the stack does not come up; nothing is left running then."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def handle(request: dict[str, Any]) -> dict[str, Any]:
        if request.get("do") == "restart":
            await _restart(supervisor, str(request.get("part")))
        if request.get("do") == "settings":
            return {"settings": supervisor.in_force()}
        return {
            "stopping": stop.is_set(),
            "parts": {name: [keeper.state, keeper.pid] for name, keeper in supervisor.keepers.items()},
        }

    async with control.listening(supervisor.directory, handle):
        try:
            await _until(stop, supervisor)
        finally:
            await supervisor.stop()
            say("all parts have ended")


async def _until(stop: asyncio.Event, supervisor: Supervisor) -> None:
    """Starts and keeps the parts until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        work = group.create_task(_work(supervisor), name="work")
        await_stop = group.create_task(stop.wait(), name="stop")
        await_stop.add_done_callback(lambda _: work.cancel())
        work.add_done_callback(lambda _: await_stop.cancel())


async def _work(supervisor: Supervisor) -> None:
    await supervisor.start()
    tell(ready=True)
    _let_go()
    await supervisor.keep()


async def _restart(supervisor: Supervisor, name: str) -> None:
    if name not in supervisor.keepers:
        raise StackError(f"no part {name}; there are {', '.join(supervisor.keepers)}")
    await supervisor.keepers[name].restart()


def first_cause(error: BaseException) -> BaseException:
    """The first error inside of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main() -> int:
    try:
        settings = load()
        with only_one(settings.directory):
            asyncio.run(supervise(Supervisor(settings, say)))
    except* (StackError, OSError) as group:
        tell(failed=str(first_cause(group)))
        print(first_cause(group), file=sys.stderr)
        return_code = 1
    else:
        return_code = 0
    return return_code


if __name__ == "__main__":
    sys.exit(main())
