"""The broker's password file as lines, one writer at a time, and the broker told to read it again."""

import fcntl
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from local_stack.files import write_atomically


def lines(file: Path) -> dict[str, str]:
    """What follows each user's name and its colon; nothing of a file that is not there."""
    if not file.exists():
        return {}
    split = (line.partition(":") for line in file.read_text(encoding="utf-8").split("\n"))
    return {user: rest for user, colon, rest in split if colon}


def read(file: Path) -> dict[str, str]:
    """The same while nobody writes."""
    with locked(file):
        return lines(file)


def put(file: Path, accounts: Mapping[str, str]) -> None:
    """Replaces the file in one step; whoever calls holds it `locked`."""
    write_atomically(file, "".join(f"{user}:{rest}\n" for user, rest in accounts.items()))


def remove(file: Path, gone: Mapping[str, str]) -> set[str]:
    """Takes out users whose lines are still these; who has another one by now stays. Gives those taken out."""
    with locked(file):
        present = lines(file)
        taken = {user for user, rest in gone.items() if present.get(user) == rest}
        if taken:
            put(file, {user: rest for user, rest in present.items() if user not in taken})
        return taken


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """One at a time, over processes too, also the scripts of the broker's container."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def reread(folder: Path) -> bool:
    """Tells the broker that runs from this folder; it then cuts off whose account is gone. False: none runs."""
    pid = broker_pid(folder)
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
    return pid is not None


def broker_pid(folder: Path) -> int | None:
    """The pid of the broker that runs from this folder, or None. A stale pid file names nobody."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int((folder / "mosquitto.pid").read_text(encoding="utf-8"))
        os.kill(pid, 0)
        name = Path(f"/proc/{pid}/comm")
        if not name.exists() or name.read_text(encoding="utf-8").strip() == "mosquitto":
            return pid
    return None
