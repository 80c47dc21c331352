"""One MQTT connection on a socket, from its first byte to its last."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Generic, cast

from mqtt5 import DisconnectReasonCode

from pulse.runtime import certificates
from pulse.runtime.mqtt.errors import ConnectionLost, NotReady, ProtocolError, SubscribeRefused
from pulse.runtime.mqtt.packets import PacketReader
from pulse.runtime.mqtt.port import Handler, MqttOptions, Received, T
from pulse.runtime.mqtt.session import PING, Answered, Connected, Session, Settled

LEAVE_SECONDS = 2.0
"""How long the broker may take to close the connection after DISCONNECT."""
SILENT_TICKS = 2
"""Ticks without a byte from the broker that are still no sign of its death; there are two in a keep-alive interval."""
REFUSED = 128
"""Reason codes from here up are refusals."""


class Connection(asyncio.Protocol, Generic[T]):
    """Bytes to and from the broker; the handler is called right where they come in.

    The broker is taken for dead when nothing at all has come from it for a whole keep-alive interval, although it is
    pinged twice in each.
    """

    def __init__(self, options: MqttOptions, number: int, handler: Handler[T]) -> None:
        self._options = options
        self._handler = handler
        self._reader = PacketReader()
        self._session: Session[T] = Session(options, number)
        self._greeting = self._session.connect()
        self._transport: asyncio.Transport | None = None
        self._is_open = False  # from CONNACK until the first sign of the end
        self._is_full = False  # the socket does not take more
        self._is_reading = True
        self._was_accepted = False
        self._established = asyncio.Event()
        self._closed = asyncio.Event()
        self._is_dropped = False
        self._error: Exception | None = None
        self._questions: dict[int, asyncio.Future[list[int]]] = {}
        self._silent_ticks = 0
        self._ticker: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def free(self) -> int:
        """How many publishes may be written this instant."""
        return self._session.free if self._is_open and not self._is_full else 0

    async def open(self) -> None:
        """Connects, and returns after CONNACK. Raises ConnectionLost or its kinds, OSError."""
        options = self._options
        try:
            async with asyncio.timeout(options.connect_timeout):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: self, options.host, options.port, ssl=options.tls)
                await self._established.wait()
        except TimeoutError:
            raise ConnectionLost(f"no connection and CONNACK within {options.connect_timeout} s") from None
        if self._error is not None:
            raise self._error

    async def ended(self) -> Exception:
        """Waits until the connection has gone; says why."""
        await self._closed.wait()
        return self._error or ConnectionLost("the connection was closed")

    def abandon(self) -> None:
        """Drops the connection if there still is one, and tells the handler if it knew of it."""
        self._abort()
        if self._was_accepted:
            self._was_accepted = False
            self._handler.lost(self._session.end())

    def publish(
        self, topic: str, payload: bytes, token: T, expiry: int | None, user_properties: Sequence[tuple[str, str]]
    ) -> None:
        """Hands a PUBLISH with QoS 1 to the socket. Raises NotReady, PacketTooLarge, ValueError."""
        if self.free <= 0:
            raise NotReady("not connected, the window is full, or the socket does not take more")
        self._write(self._session.publish(topic, payload, token, expiry, user_properties))

    def acknowledge(self, messages: Iterable[Received]) -> None:
        if self._is_open and (data := self._session.acknowledge(messages)):
            self._write(data)

    async def subscribe(self, filters: Sequence[str]) -> None:
        """Raises SubscribeRefused when a filter is not granted with QoS 1; ConnectionLost."""
        for each, code in zip(filters, await self._answer(*self._session.subscribe(filters)), strict=True):
            if code != 1:
                raise SubscribeRefused(each, code)

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Raises SubscribeRefused, ConnectionLost."""
        for each, code in zip(filters, await self._answer(*self._session.unsubscribe(filters)), strict=True):
            if code >= REFUSED:
                raise SubscribeRefused(each, code)

    async def leave(self, session_expiry: int | None) -> None:
        """DISCONNECT, then waits for the broker to close: closing first, with unread data, could destroy it."""
        self._is_open = False
        self._write(self._session.disconnect(session_expiry))
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._closed.wait()
        except TimeoutError:
            self._abort()

    def pause_reading(self) -> None:
        """Takes nothing more from the socket: neither messages nor answers."""
        if self._transport is not None:
            self._is_reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Undoes `pause_reading`."""
        if self._transport is not None:
            self._is_reading = True
            self._transport.resume_reading()

    async def _answer(self, packet_id: int, question: bytes) -> list[int]:
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._questions[packet_id] = answer
        self._write(question)
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                return await answer
        except TimeoutError:
            error = ConnectionLost(f"no answer to SUBSCRIBE or UNSUBSCRIBE in {self._options.connect_timeout} s")
            self._fail(error)
            raise error from None
        finally:
            del self._questions[packet_id]

    # What the event loop calls:

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # Full as soon as the kernel leaves one byte to us. TLS compares with >=: there 0 would mean always full.
        self._transport.set_write_buffer_limits(high=1 if self._options.tls else 0, low=0)
        certificates.met("broker", transport.get_extra_info("ssl_object"))
        self._write(self._greeting)

    def data_received(self, data: bytes) -> None:
        if self._is_dropped:
            return
        self._silent_ticks = 0
        handler = self._handler
        answered = False
        try:
            for packet in self._reader.feed(data):
                event = self._session.take(packet)
                if isinstance(event, Received):
                    handler.received(event)
                elif isinstance(event, Answered):
                    answered = True
                    handler.answered(event.token, event.reason_code)
                elif isinstance(event, Connected):
                    self._accepted(event)
                elif isinstance(event, Settled):
                    self._settled(event)
        except ConnectionLost as error:
            self._fail(error)
        if answered and self.free > 0:
            handler.room()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self._is_open:
            self._handler.room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_open = False
        if self._ticker is not None:
            self._ticker.cancel()
        if self._error is None:
            self._error = _reason(exc)
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(ConnectionLost(str(self._error)))
        self._established.set()
        self._closed.set()

    # Inside:

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _accepted(self, event: Connected) -> None:
        self._is_open = self._was_accepted = True
        self._tick_each(event.keep_alive / 2)
        self._established.set()
        self._handler.connected(event.session_present)
        self._handler.room()

    def _settled(self, event: Settled) -> None:
        answer = self._questions.get(event.packet_id)
        if answer is not None and not answer.done():
            answer.set_result(event.reason_codes)

    def _tick_each(self, seconds: float) -> None:
        self._ticker = asyncio.get_running_loop().call_later(seconds, self._tick, seconds)

    def _tick(self, seconds: float) -> None:
        """Counts ticks, not seconds: time that this process spent stopped is not the broker's silence."""
        self._silent_ticks = self._silent_ticks + 1 if self._is_reading else 0
        if self._silent_ticks > SILENT_TICKS:
            self._fail(ConnectionLost("the broker is silent"))
            return
        if not self._is_full:
            self._write(PING)
        self._tick_each(seconds)

    def _fail(self, error: ConnectionLost) -> None:
        if self._error is None:
            self._error = error
        if isinstance(error, ProtocolError):
            self._write(self._session.disconnect(reason=DisconnectReasonCode.PROTOCOL_ERROR))
        self._abort()

    def _abort(self) -> None:
        self._is_open = False
        self._is_dropped = True
        if self._ticker is not None:
            self._ticker.cancel()
        if self._transport is not None:
            self._transport.abort()


def _reason(exc: Exception | None) -> Exception:
    """Why the loop closed the connection. What is not the network's is a handler's own failure, and stays as it is."""
    if exc is None:
        return ConnectionLost("the broker closed the connection")
    if isinstance(exc, OSError):
        lost = ConnectionLost(f"the connection broke: {exc}")
        lost.__cause__ = exc
        return lost
    return exc
