"""Keeps one MQTT connection alive, and is the door to it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Generic

import structlog

from pulse.runtime.mqtt import metrics
from pulse.runtime.mqtt.backoff import MOST, delays
from pulse.runtime.mqtt.connection import Connection
from pulse.runtime.mqtt.errors import ConnectionLost, ConnectRefused, NotReady
from pulse.runtime.mqtt.port import Handler, MqttOptions, Received, T
from pulse.runtime.tls import explained

log = structlog.get_logger()


class MqttClient(Generic[T]):
    """An MQTT 5 client with QoS 1 whose caller keeps every decision.

    It never repeats a publish, holds none back, and acknowledges nothing by itself. `options` is awaited before every
    connect, so that each may have other ones (a renewed lease, a new password); what it raises ends `run`.
    All methods belong to the event loop of `run`.
    """

    def __init__(self, options: Callable[[], Awaitable[MqttOptions]], handler: Handler[T]) -> None:
        self._options = options
        self._handler = handler
        self._connection: Connection[T] | None = None
        self._connections = 0
        self._has_left = False

    async def run(self, stop: asyncio.Event) -> None:
        """Connects, serves, and connects again after 0.1 to 5 s, until `stop` is set or `disconnect` was called.

        Raises, in an ExceptionGroup, what `options` or the handler raised; never for the broker's or network's sake.
        """
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._serve(), name="mqtt")
            stopping = group.create_task(self._stop(stop, serving), name="mqtt-stop")
            serving.add_done_callback(lambda _: stopping.cancel())

    @property
    def is_connected(self) -> bool:
        """True from CONNACK until the first sign of the connection's end."""
        return self._connection is not None and self._connection.is_open

    @property
    def free(self) -> int:
        """How many publishes may be written this instant.

        0 when not connected, when the window is full, when packet identifiers are used up, and when the socket does
        not take more. (Over TLS, up to 64 KiB that the socket does not take are kept in memory before that shows.)
        """
        return 0 if self._connection is None else self._connection.free

    def publish(
        self,
        topic: str,
        payload: bytes,
        token: T,
        *,
        expiry: int | None = None,
        user_properties: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Hands a message to the socket with QoS 1, in this very call; `expiry` in seconds, 0–4,294,967,295.

        Raises NotReady when `free` is 0, PacketTooLarge above what the broker takes, ValueError or OverflowError for
        what no packet can carry (a topic with wildcards or NUL). Nothing is written then, and `token` not kept.
        """
        if self._connection is None:
            raise NotReady("not connected")
        self._connection.publish(topic, payload, token, expiry, user_properties)

    async def subscribe(self, *filters: str) -> None:
        """Subscribes with QoS 1. Raises SubscribeRefused, PacketTooLarge, ConnectionLost, NotReady, ValueError."""
        await self._current().subscribe(filters)

    async def unsubscribe(self, *filters: str) -> None:
        """Raises as `subscribe`; a filter that was not subscribed to is none of its errors."""
        await self._current().unsubscribe(filters)

    def acknowledge(self, messages: Iterable[Received]) -> None:
        """PUBACKs in the order given. Those of an older connection are dropped: the broker repeats the messages."""
        if self._connection is not None:
            self._connection.acknowledge(messages)

    def pause_reading(self) -> None:
        """Takes nothing more from the socket until `resume_reading` or the next connection: bounds the memory.

        What one read had brought still comes (256 KiB at most), answers to publishes and subscriptions do not.
        """
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_reading(self) -> None:
        """Undoes `pause_reading`."""
        if self._connection is not None:
            self._connection.resume_reading()

    async def disconnect(self, *, session_expiry: int | None = None) -> None:
        """Leaves for good: DISCONNECT, and `run` ends. `session_expiry` in seconds; 0 ends the broker's session.

        Returns when the broker has closed the connection, or after 2 s. Raises ConnectionLost when there is none to
        say it on; `run` goes on then.
        """
        connection = self._current()
        self._has_left = True
        await connection.leave(session_expiry)

    def _current(self) -> Connection[T]:
        if self._connection is None or not self._connection.is_open:
            raise ConnectionLost("not connected")
        return self._connection

    async def _stop(self, stop: asyncio.Event, serving: asyncio.Task[None]) -> None:
        await stop.wait()
        with suppress(ConnectionLost):
            await self.disconnect()
        serving.cancel()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        waits = delays()
        while not self._has_left:
            options = await self._options()
            began = loop.time()
            try:
                await self._live(options)
            except (ConnectionLost, OSError) as error:
                log.warning("mqtt_connection_lost", reason=_reason(error, options))
            if loop.time() - began > MOST:
                waits = delays()
            if not self._has_left:
                await asyncio.sleep(next(waits))

    async def _live(self, options: MqttOptions) -> None:
        """One connection, from connect to its end."""
        self._connections += 1
        connection = self._connection = Connection(options, self._connections, self._handler)
        try:
            await _open(connection)
            log.info("mqtt_connected", broker=f"{options.host}:{options.port}", client_id=options.client_id)
            error = await connection.ended()
            if not self._has_left:
                metrics.LOST.inc()
                raise error
            log.info("mqtt_disconnected", client_id=options.client_id)
        finally:
            self._connection = None
            connection.abandon()


def _reason(error: Exception, options: MqttOptions) -> str:
    """In words, naming the setting where it is one's certificate or one's trust."""
    trouble = None if options.tls is None else explained(error, "MQTT")
    return str(error) if trouble is None else f"{options.host}:{options.port}: {trouble.text}"


async def _open(connection: Connection[T]) -> None:
    """Connects, and counts how that went. Raises as `Connection.open`."""
    try:
        await connection.open()
    except ConnectRefused:
        metrics.REFUSED.inc()
        raise
    except (ConnectionLost, OSError):
        metrics.FAILED.inc()
        raise
    metrics.ACCEPTED.inc()
