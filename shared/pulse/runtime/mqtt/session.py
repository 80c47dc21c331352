"""The MQTT state of one connection, without a socket: packets in, events out; wishes in, bytes out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeAlias

import msgspec
from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    Packet,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    UnsubAckPacket,
    UnsubscribePacket,
)

from pulse.contracts.names import is_topic
from pulse.runtime.mqtt.errors import BrokerDisconnected, ConnectRefused, PacketTooLarge, ProtocolError
from pulse.runtime.mqtt.packet_ids import MOST, PacketIds
from pulse.runtime.mqtt.port import MqttOptions, Received, T

PING = PingReqPacket().write()
QOS_1 = QoS.AT_LEAST_ONCE
LARGEST_PACKET = 268_435_460
"""What a remaining length of four bytes can describe, header included."""


class Connected(msgspec.Struct, frozen=True):
    """The broker accepted the connection; `keep_alive` in seconds."""

    session_present: bool
    keep_alive: int


class Answered(msgspec.Struct, Generic[T], frozen=True):
    """A publish got its PUBACK."""

    token: T
    reason_code: int


class Settled(msgspec.Struct, frozen=True):
    """A SUBSCRIBE or UNSUBSCRIBE got its answer, a reason code for each filter."""

    packet_id: int
    reason_codes: list[int]


Event: TypeAlias = Connected | Received | Answered[T] | Settled


class Session(Generic[T]):
    """Answers each publish once at most; never acknowledges and never repeats anything by itself.

    `number` tells this connection from earlier ones in what it receives.
    """

    def __init__(self, options: MqttOptions, number: int) -> None:
        self._options = options
        self._number = number
        self._ids = PacketIds()
        self._accepted = False
        self._window = 0
        self._largest = LARGEST_PACKET
        self._unanswered: dict[int, T] = {}
        self._unsettled: dict[int, int] = {}  # packet id of a SUBSCRIBE or UNSUBSCRIBE: number of its filters
        self._unacknowledged: dict[int, Received] = {}

    @property
    def free(self) -> int:
        """How many publishes the window and the packet identifiers allow now; 0 before CONNACK."""
        return min(self._window, MOST - len(self._unsettled)) - len(self._unanswered)

    def connect(self) -> bytes:
        """CONNECT. No topic aliases are offered."""
        options = self._options
        return ConnectPacket(
            options.client_id,
            username=options.username,
            password=None if options.password is None else options.password.encode(),
            clean_start=options.clean_start,
            keep_alive=options.keep_alive,
            session_expiry_interval=options.session_expiry,
            receive_max=options.receive_max,
        ).write()

    def publish(
        self, topic: str, payload: bytes, token: T, expiry: int | None, user_properties: Sequence[tuple[str, str]]
    ) -> bytes:
        """PUBLISH with QoS 1. Raises NotReady, PacketTooLarge, or ValueError for what no packet can carry."""
        if not is_topic(topic):  # a broker would end the connection, and with it what others have on the way
            raise ValueError(f"topic {topic!r} has characters that no broker takes")
        packet_id = self._ids.take()
        try:
            packet = PublishPacket(
                topic,
                payload,
                qos=QOS_1,
                packet_id=packet_id,
                message_expiry_interval=expiry,
                user_properties=[*user_properties] or None,
            )
            data = self._fitting(packet.write())
        except (ValueError, OverflowError, PacketTooLarge):
            self._ids.give_back(packet_id)
            raise
        self._unanswered[packet_id] = token
        return data

    def subscribe(self, filters: Sequence[str]) -> tuple[int, bytes]:
        """SUBSCRIBE with QoS 1 and its packet identifier. Raises as `publish`."""
        wanted = [TopicFilter(each, max_qos=QOS_1) for each in filters]
        return self._ask(lambda packet_id: SubscribePacket(packet_id, wanted), len(wanted))

    def unsubscribe(self, filters: Sequence[str]) -> tuple[int, bytes]:
        """UNSUBSCRIBE and its packet identifier. Raises as `publish`."""
        return self._ask(lambda packet_id: UnsubscribePacket(packet_id, [*filters]), len(filters))

    def acknowledge(self, messages: Iterable[Received]) -> bytes:
        """PUBACKs in the order given, for those that this connection received and that are still to be acknowledged."""
        waiting = self._unacknowledged
        acknowledged = []
        for message in messages:
            packet_id = message.packet_id
            if packet_id is not None and waiting.get(packet_id) is message:
                del waiting[packet_id]
                acknowledged.append(PubAckPacket(packet_id).write())
        return b"".join(acknowledged)

    def disconnect(
        self,
        session_expiry: int | None = None,
        reason: DisconnectReasonCode = DisconnectReasonCode.NORMAL_DISCONNECTION,
    ) -> bytes:
        """DISCONNECT; `session_expiry` in seconds replaces the one agreed on, where given."""
        return DisconnectPacket(reason_code=reason, session_expiry_interval=session_expiry).write()

    def end(self) -> list[T]:
        """The connection has gone: the publishes that stayed without an answer, in the order written."""
        self._window = 0
        unanswered = [*self._unanswered.values()]
        self._unanswered.clear()
        self._unacknowledged.clear()
        return unanswered

    def _ask(self, packet: Callable[[int], SubscribePacket | UnsubscribePacket], filters: int) -> tuple[int, bytes]:
        packet_id = self._ids.take()
        try:
            data = self._fitting(packet(packet_id).write())
        except (ValueError, PacketTooLarge):
            self._ids.give_back(packet_id)
            raise
        self._unsettled[packet_id] = filters
        return packet_id, data

    def _fitting(self, data: bytes) -> bytes:
        if len(data) > self._largest:
            raise PacketTooLarge(len(data), self._largest)
        return data

    def take(self, packet: Packet) -> Event[T] | None:
        """What a packet means. Raises ConnectRefused, BrokerDisconnected or ProtocolError: each ends the connection."""
        if not self._accepted:
            return self._begin(packet)
        match packet:
            case PublishPacket():
                return self._received(packet)
            case PubAckPacket():
                return self._answered(packet)
            case SubAckPacket() | UnsubAckPacket():
                return self._settled(packet)
            case PingRespPacket():
                return None
            case DisconnectPacket():
                raise BrokerDisconnected(int(packet.reason_code), packet.reason_str or packet.reason_code.name)
            case _:
                raise ProtocolError(f"{type(packet).__name__} was not to be expected")

    def _begin(self, packet: Packet) -> Connected:
        if not isinstance(packet, ConnAckPacket):
            raise ProtocolError(f"{type(packet).__name__} before CONNACK")
        if packet.reason_code != ConnAckReasonCode.SUCCESS:
            raise ConnectRefused(int(packet.reason_code), packet.reason_str or packet.reason_code.name)
        if packet.session_present and self._options.clean_start:
            raise ProtocolError("the broker resumed a session although a clean start was asked for")
        if packet.max_qos == QoS.AT_MOST_ONCE:
            raise ConnectRefused(int(DisconnectReasonCode.QOS_NOT_SUPPORTED), "the broker offers QoS 0 only")
        self._accepted = True
        self._window = min(self._options.window, packet.receive_max)
        self._largest = packet.max_packet_size or LARGEST_PACKET
        return Connected(packet.session_present, self._keep_alive(packet.server_keep_alive))

    def _keep_alive(self, of_broker: int | None) -> int:
        """The shorter of both: more pings than the broker asks for (0: it asks for none) are always allowed."""
        return min(self._options.keep_alive, of_broker or MOST)

    def _received(self, packet: PublishPacket) -> Received:
        packet_id = packet.packet_id
        if packet.qos == QoS.EXACTLY_ONCE:
            raise ProtocolError("PUBLISH with QoS 2, nothing is subscribed to so high")
        if packet.topic_alias is not None:
            raise ProtocolError("PUBLISH with a topic alias, none was offered")
        if packet_id == 0:
            raise ProtocolError("PUBLISH with packet identifier 0")
        message = Received(
            packet.topic,
            packet.payload,
            0 if packet_id is None else 1,
            packet_id,
            packet.duplicate,
            self._number,
            tuple(packet.user_properties),
        )
        if packet_id is not None:
            self._unacknowledged[packet_id] = message
        return message

    def _answered(self, packet: PubAckPacket) -> Answered[T] | None:
        packet_id = packet.packet_id
        if packet_id not in self._unanswered:
            return None  # said twice, or of nothing that was asked: the first answer counted
        self._ids.give_back(packet_id)
        return Answered(self._unanswered.pop(packet_id), int(packet.reason_code))

    def _settled(self, packet: SubAckPacket | UnsubAckPacket) -> Settled | None:
        filters = self._unsettled.pop(packet.packet_id, None)
        if filters is None:
            return None
        if filters != len(packet.reason_codes):
            raise ProtocolError(f"{len(packet.reason_codes)} reason codes for {filters} topic filters")
        self._ids.give_back(packet.packet_id)
        return Settled(packet.packet_id, [int(code) for code in packet.reason_codes])
