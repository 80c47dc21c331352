"""A fleet of simulated devices in this process, a broker connection each."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from fleetsim.agent import Agent
from fleetsim.connection import Account, Broker
from fleetsim.journal import Journal
from fleetsim.nature import Behaviour
from fleetsim.world import Tally, World

CONNECTS_AT_ONCE = 64


class Fleet:
    """Devices that live while the `async with` is open.

    `state`: a file that keeps their memories across restarts (without it they live in this object only).
    `downloads`: how many devices fetch at the same time, the others wait for their turn.
    `manual`: they connect and receive, and do and say nothing by themselves. `keep_history`: see `Agent.history`.
    Raises ValueError when a device is there twice.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        broker: Broker,
        behaviour: Behaviour | None = None,
        *,
        state: Path | None = None,
        downloads: int = 256,
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
            journal=self._journal,
            manual=manual,
            keep_history=keep_history,
        )
        self._agents: dict[tuple[str, str], Agent] = {}
        for account in accounts:
            key = account.tenant_id, account.device_id
            if key in self._agents:
                raise ValueError(f"device {account.user} is there twice")
            self._agents[key] = Agent(account, self._world)
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def tally(self) -> Tally:
        return self._world.tally

    def __getitem__(self, device: tuple[str, str]) -> Agent:
        """The device `tenant_id, device_id`; raises KeyError."""
        return self._agents[device]

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    def __len__(self) -> int:
        return len(self._agents)

    async def __aenter__(self) -> Self:
        if self._journal is not None:
            self._stack.callback(self._journal.close)
        await self._stack.enter_async_context(self._world.http)
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._tasks = [group.create_task(agent.run(), name=agent.account.user) for agent in self]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await self._stack.__aexit__(kind, error, trace)

    async def ready(self, timeout: float = 30.0) -> None:
        """Wait until each device that has a network is connected and subscribed; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            for agent in self:
                await agent.until_settled()
