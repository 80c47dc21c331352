"""A fleet of simulated devices in this process: a broker connection each, or many behind a few."""

import asyncio
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from fleetsim.agent import Agent
from fleetsim.connection import Account, Broker, Login
from fleetsim.device import Memory
from fleetsim.journal import Journal
from fleetsim.line import Line
from fleetsim.nature import Behaviour
from fleetsim.pace import Pace
from fleetsim.recorder import Recorder
from fleetsim.tally import Tally
from fleetsim.weather import spells, storms
from fleetsim.world import World

CONNECTS_AT_ONCE = 64
DEVICES_EACH = 2_500
"""So many devices share a connection when it is not said how many connections there are."""
CHECKS = 10
"""So often an overdue answer is looked for before it is given up."""
_TOPIC_LEVELS = 5


@dataclass(frozen=True, slots=True)
class Shared:
    """Devices behind a few connections, as a user who may read all command topics and write all report topics.

    `connections` None: one for each 2,500 devices.
    """

    login: Login
    connections: int | None = None

    def count(self, devices: int) -> int:
        """How many connections for so many devices."""
        return min(self.connections or -(-devices // DEVICES_EACH), devices)


class Fleet:
    """Devices that live while the `async with` is open.

    `shared`: see there; None gives each device a connection of its own.
    `state`: a file that keeps their memories across restarts (without it they live in this object only).
    `history`: a file to which all that they receive and send is appended, see `recorder.Line`.
    `downloads`: how many devices fetch at the same time, the others wait for their turn.
    `connect_rate`: so many devices connect a second at most. `presence`: see World.
    `manual`: they connect and receive, and do and say nothing by themselves. `keep_history`: see `Agent.history`.
    Raises ValueError when a device is there twice, OSError when a file cannot be opened.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        broker: Broker,
        behaviour: Behaviour | None = None,
        *,
        shared: Shared | None = None,
        state: Path | None = None,
        history: Path | None = None,
        downloads: int = 256,
        connect_rate: float | None = None,
        presence: bool = True,
        manual: bool = False,
        keep_history: bool = False,
    ) -> None:
        self._journal = Journal(state) if state else None
        self._world = World(
            broker=broker,
            http=httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=downloads)),
            behaviour=behaviour or Behaviour(),
            downloads=asyncio.Semaphore(downloads),
            connects=asyncio.Semaphore(CONNECTS_AT_ONCE),
            pace=Pace(connect_rate),
            group=asyncio.TaskGroup(),
            find=self._find,
            journal=self._journal,
            recorder=Recorder(history) if history else None,
            manual=manual,
            keep_history=keep_history,
            presence=presence,
        )
        self._agents: list[Agent] = []
        self._by_name: dict[str, dict[str, Agent]] = {}
        self._lines: list[Line] = []
        self._settle_down([*accounts], shared)
        self._began_at = time.monotonic()
        self._stack = AsyncExitStack()
        self._life: asyncio.Task[None] | None = None

    def _settle_down(self, accounts: list[Account], shared: Shared | None) -> None:
        """Every device on its line, with the memory it had."""
        fresh: dict[str, Memory] = {}
        if shared is not None:
            self._lines = self._shared_lines(shared, len(accounts))
        for number, account in enumerate(accounts):
            if shared is None:
                self._lines.append(Line(account.login, account.user, self._world))
            line = self._lines[number % len(self._lines)]
            known = self._journal.memories.get(account.user) if self._journal else None
            memory = known or fresh.setdefault(account.version, Memory(version=account.version))
            agent = Agent(account, self._world, line, memory)
            if self._by_name.setdefault(account.tenant_id, {}).setdefault(account.device_id, agent) is not agent:
                raise ValueError(f"device {account.user} is there twice")
            self._agents.append(agent)

    def _shared_lines(self, shared: Shared, devices: int) -> list[Line]:
        fleet = secrets.token_hex(4)
        numbers = range(shared.count(devices))
        return [Line(shared.login, f"fleetsim-{fleet}-{number}", self._world) for number in numbers]

    def _find(self, topic: str) -> Agent | None:
        levels = topic.split("/")
        return self._by_name.get(levels[1], {}).get(levels[3]) if len(levels) == _TOPIC_LEVELS else None

    @property
    def tally(self) -> Tally:
        return self._world.tally

    @property
    def connections(self) -> int:
        """How many connections to the broker the fleet has when all its devices are there."""
        return len(self._lines)

    def idle_seconds(self, now: float) -> float:
        """For how long no device and no command has come and none been at work; `now` as time.monotonic() says it."""
        return now - max(self.tally.busy_at, self._began_at) if self.tally.at_work == 0 else 0.0

    def __getitem__(self, device: tuple[str, str]) -> Agent:
        """The device `tenant_id, device_id`; raises KeyError."""
        tenant_id, device_id = device
        return self._by_name[tenant_id][device_id]

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents)

    def __len__(self) -> int:
        return len(self._agents)

    async def __aenter__(self) -> Self:
        self._began_at = time.monotonic()
        for file in (self._journal, self._world.recorder):
            if file is not None:
                self._stack.callback(file.close)
        await self._stack.enter_async_context(self._world.http)
        outer = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._life = outer.create_task(self._live(), name="fleet")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._life is not None:
            self._life.cancel()
        await self._stack.__aexit__(kind, error, trace)

    async def ready(self, timeout: float = 30.0) -> None:
        """Wait until each device that has a network is connected and subscribed; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while self.tally.connected + self.tally.away < len(self):
                self._world.moves.clear()
                await self._world.moves.wait()

    async def _live(self) -> None:
        behaviour = self._world.behaviour
        async with self._world.group as group:
            for line in self._lines:
                group.create_task(line.run())
            for agent in self:
                agent.resume()
            group.create_task(self._look_after())
            if not self._world.manual:
                group.create_task(spells(self._agents, behaviour))
                group.create_task(storms(self._agents, behaviour, self.tally))

    async def _look_after(self) -> None:
        """Once a second: overdue answers are noticed, and the history goes to its file."""
        while True:
            await asyncio.sleep(self._world.broker.timeout / CHECKS)
            for line in self._lines:
                line.check(CHECKS)
            if self._world.recorder is not None:
                self._world.recorder.flush()
