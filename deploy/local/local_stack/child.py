"""One part as a child process: started in a group of its own, watched until ready, stopped cleanly."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from local_stack.errors import CommandFailed, PartFailed
from local_stack.files import tail

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Part:
    """What to run and when it is ready. `environment` comes on top of this process's own; times in seconds."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    ready_within: float = 60.0
    stop_within: float = 12.0


class Child:
    """A running part. Its output goes to `log`; that of the life before is kept as `log`.1."""

    def __init__(self, part: Part, process: asyncio.subprocess.Process, log: Path) -> None:
        self.part = part
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """The exit code (negative: the signal that ended it)."""
        return await self._process.wait()

    async def until_ready(self) -> None:
        """Returns when the part answers. Raises PartFailed when it dies, or does not answer in its time."""
        try:
            async with asyncio.timeout(self.part.ready_within):
                while not await self.part.ready():
                    self._must_run()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise PartFailed(
                f"{self.part.name} was not ready within {self.part.ready_within:.0f} s\n{tail(self.log)}"
            ) from None
        self._must_run()

    def _must_run(self) -> None:
        if not self.running:
            raise PartFailed(self.obituary())

    def obituary(self) -> str:
        """How the part ended, with the end of its log."""
        code = self._process.returncode
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code is not None and code < 0
            else f"ended with code {code}"
        )
        return f"{self.part.name} {how}; the end of {self.log}:\n{tail(self.log)}"

    async def stop(self) -> None:
        """The part's own stop signal first; SIGKILL for the whole group when it takes too long."""
        self.signal(self.part.stop_signal)
        try:
            async with asyncio.timeout(self.part.stop_within):
                await self.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL for the whole process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self.wait()

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


async def start(part: Part, log: Path) -> Child:
    """Starts the part; it gets its stop signal when this process dies, however that happens (Linux)."""
    with _fresh(log) as output:
        process = await asyncio.create_subprocess_exec(
            *part.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | part.environment,
            start_new_session=True,
            preexec_fn=lambda: _die_with_parent(part.stop_signal),
        )
    return Child(part, process, log)


def _fresh(log: Path) -> BinaryIO:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("wb")


def _die_with_parent(number: signal.Signals) -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


async def run(*command: str, stdin: str = "", timeout: float = 120.0, env: Mapping[str, str] | None = None) -> str:
    """Runs a command of the preparation to its end and returns what it printed. Raises CommandFailed.

    When it takes too long, or is not wanted any more, its whole process group is ended.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | (env or {}),
        start_new_session=True,
        preexec_fn=lambda: _die_with_parent(signal.SIGTERM),
    )
    try:
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate(stdin.encode())
    except TimeoutError:
        raise CommandFailed(f"{' '.join(command)} took more than {timeout:.0f} s") from None
    finally:
        await _end_group(process)
    text = output.decode(errors="replace")
    if process.returncode != 0:
        raise CommandFailed(f"{' '.join(command)} failed with code {process.returncode}:\n{text[-3000:]}")
    return text


async def _end_group(process: asyncio.subprocess.Process, within: float = 10.0) -> None:
    """SIGTERM, so that a package manager can tidy up; SIGKILL `within` seconds later. Harmless when it has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with suppress(ProcessLookupError, TimeoutError):
                os.killpg(process.pid, number)
                async with asyncio.timeout(within):
                    await process.wait()
