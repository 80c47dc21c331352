"""A handler that keeps what it is told, and a client that runs for the length of a block."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pulse.runtime.mqtt import MqttClient, MqttOptions, Received

PATIENCE = 10.0
"""Seconds until a test gives up waiting."""


class Recorder:
    """Tokens are text. `on_room` is called at each `room`."""

    def __init__(self) -> None:
        self.sessions: list[bool] = []
        self.messages: list[Received] = []
        self.answers: list[tuple[str, int]] = []
        self.losses: list[list[str]] = []
        self.rooms = 0
        self.on_room: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    def connected(self, session_present: bool) -> None:
        self.sessions.append(session_present)
        self._changed.set()

    def received(self, message: Received) -> None:
        self.messages.append(message)
        self._changed.set()

    def answered(self, token: str, reason_code: int) -> None:
        self.answers.append((token, reason_code))
        self._changed.set()

    def lost(self, tokens: list[str]) -> None:
        self.losses.append(tokens)
        self._changed.set()

    def room(self) -> None:
        self.rooms += 1
        self.on_room()
        self._changed.set()

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    def fates(self) -> Counter[str]:
        """How often each token was answered or lost."""
        return Counter([token for token, _ in self.answers] + [token for lost in self.losses for token in lost])

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for a condition on what is kept here. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def options(port: int, **changes: object) -> MqttOptions:
    """Options for a broker on this machine."""
    return MqttOptions(**{"host": "127.0.0.1", "port": port, "client_id": "under-test", **changes})  # type: ignore[arg-type]  # the fields are named in each test


def client(port: int, recorder: Recorder, **changes: object) -> MqttClient[str]:
    fixed = options(port, **changes)

    async def same() -> MqttOptions:
        return fixed

    return MqttClient(same, recorder)


@asynccontextmanager
async def running(mqtt: MqttClient[str]) -> AsyncIterator[MqttClient[str]]:
    """Runs a client; stops it at the end, unless it has ended itself, and waits for that."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(mqtt.run(stop), name="client")
        try:
            yield mqtt
        finally:
            stop.set()


@asynccontextmanager
async def connected(port: int, recorder: Recorder, **changes: object) -> AsyncIterator[MqttClient[str]]:
    """A running client that has connected."""
    async with running(client(port, recorder, **changes)) as mqtt:
        await recorder.until(lambda: mqtt.is_connected)
        yield mqtt
