"""One simulated device at work: what arrives changes its memory, and its memory says what to send and what to do."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from fleetsim.connection import Account, LinkLostError
from fleetsim.device import Delivered, Event, Memory, Received, Subscribed, step
from fleetsim.history import NOTHING, History, What, write_update
from fleetsim.nature import Nature
from fleetsim.update import perform
from fleetsim.wire import Command, Report, delivered, read_command, report_topic, write_report
from fleetsim.world import World

Answer = Callable[[int | None], None]
"""Gets the reason code of a PUBACK, or None when the connection has gone without one."""


class Line(Protocol):
    """What a device speaks through."""

    def add(self, agent: "Agent") -> None: ...

    def changed(self, agent: "Agent") -> None: ...

    def publish(self, topic: str, payload: bytes, answer: Answer) -> None: ...


class Agent:
    """A device of a fleet, and the handles by which a test can drive it. There may be a million: it keeps little."""

    __slots__ = (
        "_is_at_work",
        "_late",
        "_line",
        "_memory",
        "_pause",
        "_sending",
        "_tries",
        "_world",
        "account",
        "history",
        "is_online",
        "is_reachable",
        "is_subscribed",
    )

    def __init__(self, account: Account, world: World, line: Line, memory: Memory) -> None:
        self.account = account
        self.history = History() if world.keep_history else NOTHING
        self.is_online = False
        """Whether the broker has confirmed its subscription."""
        self.is_reachable = True
        """Whether the device is on the network, or means to be."""
        self.is_subscribed = False
        """Kept by the line: whether the broker still has its subscription."""
        self._world, self._line, self._memory = world, line, memory
        self._is_at_work = False
        self._sending: Report | None = None
        self._late: tuple[Report, ...] = ()
        self._pause: asyncio.TimerHandle | None = None
        self._tries = 0
        line.add(self)

    @property
    def memory(self) -> Memory:
        return self._memory

    @property
    def nature(self) -> Nature:
        return Nature(self._world.behaviour, self.account.user)

    async def until_online(self, timeout: float = 10.0) -> None:
        """Wait until the device is connected and subscribed; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not self.is_online:
                self._world.moves.clear()
                await self._world.moves.wait()

    async def say(self, payload: bytes, topic: str | None = None) -> int:
        """Publish just this, on the report topic or another, and return the PUBACK's reason code.

        Raises LinkLostError when the device is offline, or was before the answer came.
        """
        if not self.is_online:
            raise LinkLostError("the device is offline")
        answered: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        def answer(reason_code: int | None) -> None:
            if not answered.done():
                answered.set_result(reason_code)

        self._line.publish(topic or self._topic, payload, answer)
        reason_code = await answered
        self._note_sent(payload, reason_code)
        if reason_code is None:
            raise LinkLostError("the connection was lost before the answer")
        return reason_code

    def go_offline(self) -> None:
        """Leave the network; nothing is lost but the connection to the broker (a download goes on)."""
        if self.is_reachable:
            self.is_reachable = False
            self._world.tally.away += 1
            self._world.moves.set()
            self.departed()
            self._line.changed(self)

    def come_back(self) -> None:
        if not self.is_reachable:
            self.is_reachable = True
            self._world.tally.away -= 1
            self._line.changed(self)

    def resume(self) -> None:
        """Go on with the update that was at hand when the simulator ended."""
        self._work()

    def take(self, event: Event) -> None:
        """Let something happen to the device: its memory is written down before anything is done about it."""
        now = datetime.now(UTC) + timedelta(seconds=self._world.behaviour.clock_ahead)
        self._memory = step(self._memory, event, now)
        if self._world.journal is not None:
            self._world.journal.keep(self.account.user, self._memory)
        self._work()
        self._speak()

    # What the line calls:

    def arrived(self) -> None:
        """The broker has confirmed the subscription."""
        if not self.is_reachable:
            return
        self.is_online = True
        self._world.moves.set()
        self._world.tally.arrived()
        self.note("connected")
        if self._world.presence or self._memory.last is not None:
            self.take(Subscribed())

    def departed(self) -> None:
        """The connection is gone."""
        if not self.is_online:
            return
        self.is_online = False
        self._world.tally.connected -= 1
        self.note("disconnected")
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def received(self, payload: bytes) -> None:
        """A message on the command topic."""
        self.note("received", payload)
        command = read_command(payload)
        if command is None:
            self._world.tally.unreadable += 1
            return
        before = self._memory
        self.take(Received(command))
        self._world.tally.took(command, before, self._memory)

    # Reports, one after the other; what nobody got is repeated with backoff.

    def note(self, what: What, payload: bytes = b"", reason_code: int | None = None) -> None:
        self.history.note(what, payload, reason_code or 0)
        if self._world.recorder is not None:
            self._world.recorder.write(self.account, what, payload, reason_code)

    @property
    def _topic(self) -> str:
        return report_topic(self.account.tenant_id, self.account.device_id)

    def _speak(self) -> None:
        if self._world.manual:
            return
        while self.is_online and self._sending is None and self._pause is None:
            report = next((each for each in self._memory.unsent if not _is_among(each, self._late)), None)
            if report is None:
                return
            _, seconds = self.nature.carriage(report)
            if seconds:
                self._late += (report,)
                asyncio.get_running_loop().call_later(seconds, self._send_late, report)
                continue
            self._sending = report
            payload = write_report(report)
            self._line.publish(self._topic, payload, partial(self._answered, report, payload))

    def _answered(self, report: Report, payload: bytes, reason_code: int | None) -> None:
        self._sending = None
        self._note_sent(payload, reason_code)
        if reason_code is None:
            return
        if not delivered(reason_code):
            self._pause = asyncio.get_running_loop().call_later(self.nature.backoff(self._tries), self._try_again)
            self._tries += 1
            return
        self._tries = 0
        if self.is_online and self.nature.carriage(report)[0]:
            self._world.tally.duplicates_sent += 1
            self._line.publish(self._topic, payload, partial(self._note_sent, payload))
        self.take(Delivered(report))

    def _try_again(self) -> None:
        self._pause = None
        self._speak()

    def _send_late(self, report: Report) -> None:
        payload = write_report(report)
        if self.is_online:
            self._world.tally.late_sent += 1
            self._line.publish(self._topic, payload, partial(self._answered_late, report, payload))
        else:
            self._late = tuple(each for each in self._late if each is not report)

    def _answered_late(self, report: Report, payload: bytes, reason_code: int | None) -> None:
        self._late = tuple(each for each in self._late if each is not report)
        self._note_sent(payload, reason_code)
        if reason_code is not None and delivered(reason_code):
            self.take(Delivered(report))
        else:
            self._speak()

    def _note_sent(self, payload: bytes, reason_code: int | None) -> None:
        tally = self._world.tally
        if reason_code is None:
            tally.unanswered += 1
            self.note("lost", payload)
            return
        self.note("sent", payload, reason_code)
        if delivered(reason_code):
            tally.reports += 1
        else:
            tally.undelivered += 1

    # The update at hand, if there is one.

    def _work(self) -> None:
        command = self._memory.at_hand
        if command is not None and not self._is_at_work and not self._world.manual:
            self._is_at_work = True
            self._world.tally.began()
            self.note("began", write_update(command))
            self._world.group.create_task(self._update(command))

    async def _update(self, command: Command) -> None:
        outcome = await perform(command, self.nature.fate(command), self._world, self.take)
        self._world.tally.ended(outcome)
        self.note("ended", write_update(command, outcome))
        self._is_at_work = False
        self._work()


def _is_among(report: Report, others: tuple[Report, ...]) -> bool:
    return any(report is other for other in others)
