"""One simulated device at work: keeps its connection, sends what is unsent, does the update at hand."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from fleetsim.connection import Account, LinkLostError, Session, connect
from fleetsim.device import Delivered, Event, Memory, Received, Subscribed, step
from fleetsim.history import History
from fleetsim.nature import Nature
from fleetsim.update import perform
from fleetsim.wire import delivered, read_command, write_report
from fleetsim.world import World


class Agent:
    """A device of a fleet, and the handles by which a test can drive it."""

    def __init__(self, account: Account, world: World) -> None:
        self.account = account
        self.history = History(kept=world.keep_history)
        self._world = world
        self._nature = Nature(world.behaviour, account.user)
        known = world.journal.memories.get(account.user) if world.journal else None
        self._memory = known or Memory(version=account.version)
        self._session: Session | None = None
        self._unsent, self._at_hand = asyncio.Event(), asyncio.Event()
        self._online, self._reachable, self._unreachable = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._settled = asyncio.Event()
        self._reachable.set()
        self._show()

    @property
    def memory(self) -> Memory:
        return self._memory

    @property
    def is_online(self) -> bool:
        return self._online.is_set()

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_connected(), name=f"{self.account.user} connection")
            if not self._world.manual:
                group.create_task(self._update_when_asked(), name=f"{self.account.user} updates")
                group.create_task(self._come_and_go(), name=f"{self.account.user} spells")

    async def until_online(self, timeout: float = 10.0) -> None:
        """Wait until the device is connected and subscribed; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._online.wait()

    async def until_settled(self) -> None:
        """Wait until the device is either connected and subscribed, or off the network on purpose."""
        await self._settled.wait()

    async def say(self, payload: bytes, topic: str | None = None) -> int:
        """Publish just this, on the report topic or another, and return the PUBACK's reason code.

        Raises LinkLostError when the device is offline.
        """
        if self._session is None:
            raise LinkLostError("the device is offline")
        reason_code = await self._session.publish(payload, topic)
        self.history.note("sent", payload, reason_code)
        return reason_code

    def go_offline(self) -> None:
        """Leave the network; nothing is lost but the connection to the broker (a download goes on)."""
        self._reachable.clear()
        self._unreachable.set()
        self._settled.set()

    def come_back(self) -> None:
        self._unreachable.clear()
        self._settled.clear()
        self._reachable.set()

    def take(self, event: Event) -> None:
        """Let something happen to the device: its memory is written down before anything is done about it."""
        self._memory = step(self._memory, event, datetime.now(UTC))
        if self._world.journal is not None:
            self._world.journal.keep(self.account.user, self._memory)
        self._show()

    def _show(self) -> None:
        for flag, holds in ((self._unsent, self._memory.unsent), (self._at_hand, self._memory.at_hand)):
            flag.set() if holds else flag.clear()

    async def _stay_connected(self) -> None:
        tries = 0
        while True:
            await self._reachable.wait()
            try:
                async with AsyncExitStack() as stack:
                    async with self._world.connects:
                        session = await stack.enter_async_context(connect(self._world.broker, self.account))
                    tries = 0
                    await self._talk(session)
            except LinkLostError as lost:
                self._world.tally.trouble = str(lost)
            if self._reachable.is_set():
                await asyncio.sleep(self._nature.backoff(tries))
                tries += 1

    async def _talk(self, session: Session) -> None:
        """Until the connection is lost or the device leaves."""
        self._arrived(session)
        parts: list[Coroutine[Any, Any, object]] = [self._until_lost(self._receive(session)), self._unreachable.wait()]
        if not self._world.manual:
            parts.append(self._until_lost(self._send()))
        try:
            await _first_of(parts)
        finally:
            self._departed()

    async def _until_lost(self, talk: Awaitable[None]) -> None:
        try:
            await talk
        except LinkLostError as lost:
            self._world.tally.trouble = str(lost)

    def _arrived(self, session: Session) -> None:
        self._session = session
        self._world.tally.connected += 1
        self.history.note("connected")
        self.take(Subscribed())
        self._online.set()
        self._settled.set()

    def _departed(self) -> None:
        self._session = None
        self._world.tally.connected -= 1
        self.history.note("disconnected")
        self._online.clear()
        if self._reachable.is_set():
            self._settled.clear()

    async def _receive(self, session: Session) -> None:
        async for payload in session.commands():
            self.history.note("received", payload)
            command = read_command(payload)
            if command is not None:
                self._world.tally.commands += 1
                self.take(Received(command))

    async def _send(self) -> None:
        """Deliver what is unsent, in order; what nobody got is repeated with backoff."""
        tries = 0
        while True:
            await self._unsent.wait()
            report = self._memory.unsent[0]
            if delivered(await self.say(write_report(report))):
                self._world.tally.reports += 1
                self.take(Delivered(report))
                tries = 0
            else:
                self._world.tally.undelivered += 1
                await asyncio.sleep(self._nature.backoff(tries))
                tries += 1

    async def _update_when_asked(self) -> None:
        while True:
            await self._at_hand.wait()
            if self._memory.at_hand is not None:
                await perform(self._memory.at_hand, self._nature, self._world, self.take)

    async def _come_and_go(self) -> None:
        for online, away in self._nature.spells():
            await asyncio.sleep(online)
            self.go_offline()
            await asyncio.sleep(away)
            self.come_back()


async def _first_of(parts: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Run all of them until one ends, then end the others.

    None may raise to end: an error that meets a cancellation from outside makes a TaskGroup forget the cancellation.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
