"""One MQTT 5 connection, for one device or for many: their commands come in, their reports go out and are answered.

Each device has its own subscription, so that the broker knows exactly which ones are there; while none is, the line
hangs up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice

from fleetsim.agent import Agent, Answer
from fleetsim.connection import Login
from fleetsim.nature import Nature
from fleetsim.wire import command_topic
from fleetsim.world import World
from pulse.runtime.mqtt import MqttError, MqttOptions, PacketTooLarge, Received
from pulse.runtime.mqtt.connection import Connection

FILTERS_EACH = 500
"""So many topic filters go into one SUBSCRIBE or UNSUBSCRIBE at most."""
LINGER_SECONDS = 0.01
"""For so long a line of many devices waits for others that have something to say."""
TOO_LARGE = 149
"""MQTT's reason code for a packet above the broker's limit."""


class _Wire(Connection[Answer]):
    """A connection that tells when it has ended, and gathers for `linger` seconds what goes out in one piece.

    A system call for each packet costs more than all else that a device does.
    """

    def __init__(self, options: MqttOptions, line: "Line", ended: Callable[[], None], linger: float) -> None:
        super().__init__(options, 0, line)
        self._tell, self._linger = ended, linger
        self._gathered: list[bytes] = []

    def _write(self, data: bytes) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_later(self._linger, self._flush)
        self._gathered.append(data)

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            super()._write(b"".join(self._gathered))
        self._gathered.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._tell()


class Line:
    """Connected as long as one of its devices wants to be; connects again with a growing pause."""

    def __init__(self, login: Login, client_id: str, world: World) -> None:
        self._login, self._client_id, self._world = login, client_id, world
        self._nature = Nature(world.behaviour, client_id)
        self._members: list[Agent] = []
        self._reachable = 0
        self._changed: dict[Agent, None] = {}
        self._news = asyncio.Event()
        self._connection: _Wire | None = None
        self._waiting: deque[tuple[str, bytes, Answer]] = deque()
        self._unanswered, self._silent_checks = 0, 0
        self._verdict: str | None = None
        self._tries = 0

    def add(self, agent: Agent) -> None:
        """Before `run`: this device is on the line."""
        self._members.append(agent)
        self._reachable += 1

    def changed(self, agent: Agent) -> None:
        """A device has left the network or come back to it."""
        self._reachable += 1 if agent.is_reachable else -1
        self._changed[agent] = None
        self._news.set()
        if not self._reachable and self._connection is not None and self._connection.is_open:
            self._connection.abandon()

    def publish(self, topic: str, payload: bytes, answer: Answer) -> None:
        """Send with QoS 1, as soon as the broker takes more. `answer` gets the reason code; None: it stayed away."""
        self._waiting.append((topic, payload, answer))
        self.room()

    def check(self, patience: int) -> None:
        """Give the connection up when an answer has not come for so many checks in a row.

        Checks are counted, not seconds: time that this process spent stopped is not the broker's silence.
        """
        self._silent_checks = self._silent_checks + 1 if self._unanswered else 0
        if self._silent_checks > patience and self._connection is not None:
            self._verdict = f"no answer of the broker within {self._world.broker.timeout:g} s"
            self._connection.abandon()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            while not self._reachable:
                self._news.clear()
                await self._news.wait()
            self._verdict = None
            try:
                await self._live()
            except (MqttError, OSError) as error:
                self._world.tally.trouble = self._reason(error)
            if self._reachable:
                await asyncio.sleep(self._nature.backoff(self._tries))
                self._tries += 1

    def _reason(self, error: Exception) -> str:
        return self._verdict or str(error)

    async def _live(self) -> None:
        """One connection, from connect to its end."""
        connection = self._connection = _Wire(self._options(), self, self._news.set, self._linger)
        try:
            self._changed = dict.fromkeys(self._members)
            async with self._world.connects:
                await self._world.pace.turn()
                await connection.open()
                await self._settle(connection)
            while self._reachable:
                if not connection.is_open:
                    raise await connection.ended()
                await self._settle(connection)
                if not self._changed and connection.is_open:
                    self._news.clear()
                    await self._news.wait()
        finally:
            self._connection = None
            connection.abandon()
            self._hung_up()

    @property
    def _linger(self) -> float:
        return LINGER_SECONDS if len(self._members) > 1 else 0.0

    def _options(self) -> MqttOptions:
        broker = self._world.broker
        return MqttOptions(
            host=broker.host,
            port=broker.port,
            client_id=self._client_id,
            username=self._login.user,
            password=self._login.password,
            tls=broker.tls,
            keep_alive=broker.keepalive,
            connect_timeout=broker.timeout,
        )

    async def _settle(self, connection: _Wire) -> None:
        """Let the broker know of some devices that have come or gone."""
        some = [*islice(self._changed, FILTERS_EACH)]
        for agent in some:
            del self._changed[agent]
        if gone := [agent for agent in some if agent.is_subscribed and not agent.is_reachable]:
            await connection.unsubscribe(_filters(gone))
            for agent in gone:
                agent.is_subscribed = False
        if come := [agent for agent in some if agent.is_reachable and not agent.is_online]:
            if len(self._members) > 1:
                await self._world.pace.turn(len(come))
            await connection.subscribe(_filters(come))
            self._tries = 0
            for agent in come:
                agent.is_subscribed = True
                agent.arrived()

    def _hung_up(self) -> None:
        while self._waiting:
            self._waiting.popleft()[2](None)
        for agent in self._members:
            agent.is_subscribed = False
            agent.departed()

    # What the connection calls:

    def connected(self, session_present: bool) -> None:  # noqa: ARG002  the connection says it so
        self._unanswered = 0

    def received(self, message: Received) -> None:
        """A command. One for a device that has just left the network is lost on its way."""
        agent = self._world.find(message.topic)
        if agent is not None and agent.is_reachable:
            agent.received(message.payload)
        else:
            self._world.tally.missed += 1
        if self._connection is not None:
            self._connection.acknowledge([message])

    def answered(self, token: Answer, reason_code: int) -> None:
        self._unanswered -= 1
        self._silent_checks = 0
        token(reason_code)

    def lost(self, tokens: list[Answer]) -> None:
        self._unanswered = 0
        for answer in tokens:
            answer(None)

    def room(self) -> None:
        connection, waiting = self._connection, self._waiting
        while waiting and connection is not None and connection.free > 0:
            topic, payload, answer = waiting.popleft()
            try:
                connection.publish(topic, payload, answer, None, ())
            except PacketTooLarge:
                answer(TOO_LARGE)
                continue
            self._unanswered += 1


def _filters(agents: Iterable[Agent]) -> list[str]:
    return [command_topic(agent.account.tenant_id, agent.account.device_id) for agent in agents]
