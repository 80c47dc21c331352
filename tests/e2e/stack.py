"""The whole stack of a test run: real parts and services, and what a test may do to their processes."""

import asyncio
import os
import random
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import httpx
import pytest

from local_stack import commands, control, stack_env, tokens
from local_stack.errors import StackError
from local_stack.files import tail
from local_stack.ports import is_free
from local_stack.services import replicas
from local_stack.settings import StackSettings

FAST = {
    "RETRY_BACKOFF_SECONDS": "1",
    "OFFLINE_BACKOFF_SECONDS": "1",
    "SWEEP_GRACE_SECONDS": "1",
    "INGEST_LEASE_SECONDS": "4",
    "CAUGHT_UP_SECONDS": "0.5",
    "CHUNK_ROWS": "10",
}
"""What nobody would wait for in a test, and chunks that a test can see the middle of; all else has its default."""
NEXT_VERSION = "next-version"
EPHEMERAL = 32_768
"""From here on the kernel gives ports to outgoing connections; a service that is started again could miss its own."""
TRIES = 50


class Stack:
    """A running stack. Parts have the names of `make status`: `kafka`, `dispatcher-svc-1`."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.folder = settings.directory

    @property
    def next_version(self) -> Path:
        """Where processes look for their code first when they start; the folder is there only while a test wants."""
        return self.folder / NEXT_VERSION

    def __getitem__(self, name: str) -> str:
        """A variable of `stack.env`; raises KeyError, a `…_PID` while its process is down."""
        return stack_env.read(self.folder)[name]

    def processes(self, service: str) -> list[str]:
        return [replica.name for replica in replicas(self.settings) if replica.service.name == service]

    def pid(self, part: str) -> int:
        return int(self[f"{stack_env.variable(part)}_PID"])

    def token(self, tenant: str, roles: str = "operator") -> str:
        return tokens.make(Path(self["AUTH_KEY_FILE"]), tenant, roles)

    async def states(self) -> dict[str, tuple[str, int | None]]:
        parts = (await control.ask(self.folder, {"do": "status"}))["parts"]
        return {name: (state, pid) for name, (state, pid) in parts.items()}

    def signal(self, number: signal.Signals, *parts: str) -> None:
        """To the processes of all parts in one moment."""
        for pid in [self.pid(part) for part in parts]:
            os.kill(pid, number)

    async def kill(self, *parts: str) -> None:
        """SIGKILL for all of them in one moment. A service comes back by itself, see `until_back`."""
        before = {part: self.pid(part) for part in parts}
        self.signal(signal.SIGKILL, *parts)
        async with asyncio.timeout(10):
            while not await self._are_gone(before):
                await asyncio.sleep(0.05)

    async def _are_gone(self, pids: dict[str, int]) -> bool:
        states = await self.states()
        return all(states[part][1] != pid for part, pid in pids.items())

    async def until_back(self, *parts: str, seconds: float = 45) -> None:
        """Returns when all of them are ready; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not await self._are_up(parts):
                await asyncio.sleep(0.1)

    async def _are_up(self, parts: Iterable[str]) -> bool:
        states = await self.states()
        return all(states[part][0] == "up" for part in parts)

    async def restart(self, part: str) -> None:
        """Stops the part cleanly, if it runs, and starts it; returns when it is ready."""
        await control.ask(self.folder, {"do": "restart", "part": part})

    async def counted(self, service: str, series: str, label: str) -> Counter[str]:
        """A counter by the values of its one label, summed over all processes of a service."""
        line = re.compile(rf'^{series}{{{label}="([^"]*)"}} (\S+)$', re.MULTILINE)
        total: Counter[str] = Counter()
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            for process in self.processes(service):
                answer = await http.get(self[f"{stack_env.variable(process)}_METRICS_URL"])
                for value, number in line.findall(answer.text):
                    total[value] += int(float(number))
        return total

    def last_words(self) -> str:
        """The ends of the services' logs, and of the supervisor's."""
        folder = self.folder / "logs"
        logs = [*sorted(folder.glob("*-svc-*.log")), folder / "supervisor.log"]
        return "\n".join(f"--- {log.name}\n{tail(log)}" for log in logs)


@asynccontextmanager
async def running(kafkas: int = 1) -> AsyncIterator[Stack]:
    """A stack in a folder of its own, two processes of each service but catalog-svc; gone at the end."""
    folder = Path(mkdtemp(prefix="pulse-e2e-"))
    folder.chmod(0o711)
    settings = free_settings(folder, kafkas=kafkas)
    try:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in (FAST | {"PYTHONPATH": str(folder / NEXT_VERSION)}).items():
                environment.setenv(name, value)
            await asyncio.to_thread(commands.up, settings, print)
        yield Stack(settings)
    finally:
        await asyncio.to_thread(commands.down, settings)
        rmtree(folder)


def free_settings(folder: Path, n: int = 2, kafkas: int = 1) -> StackSettings:
    """`n` of each service but catalog-svc; ports that nobody listens on, below those of outgoing connections."""
    for _ in range(TRIES):
        offset = random.randrange(1_000, EPHEMERAL - 20_000)
        settings = StackSettings(
            run_dir=folder, port_offset=offset, campaigns=n, dispatchers=n, ingests=n, kafkas=kafkas
        )
        with suppress(StackError):  # a port that browsers refuse
            if all(is_free(port) for port in ports(settings)):
                return settings
    raise OSError(f"no free ports in {TRIES} tries")


def ports(settings: StackSettings) -> Iterator[int]:
    for name in ("gateway_port", "postgres_port", "mqtt_port"):
        yield settings.port(name)
    for of_one in settings.kafka_ports():
        yield from of_one
    for replica in replicas(settings):
        yield replica.port
