"""The connection is lost at every byte, in both directions."""

import asyncio

import mqtt5
import pytest

from pulse.runtime.mqtt import MqttClient
from pulse.runtime.mqtt.connection import Connection

from .recorder import Recorder, client, options, running
from .wire import Peer, broker

TOKENS = ["a", "b", "c"]


def brokers_stream() -> bytes:
    """What a broker sends a client that publishes three times: packet identifiers are 1, 2, 3 on a new connection."""
    return b"".join(
        packet.write()
        for packet in (
            mqtt5.ConnAckPacket(receive_max=10, reason_str="welcome"),
            mqtt5.PublishPacket("in/1", b"first", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1),
            mqtt5.PubAckPacket(2),
            mqtt5.PubAckPacket(1, reason_code=mqtt5.PubAckReasonCode.NO_MATCHING_SUBSCRIBERS, reason_str="nobody"),
            mqtt5.PublishPacket("in/2", b"second"),
            mqtt5.PingRespPacket(),
            mqtt5.PubAckPacket(3),
        )
    )


def clients_stream() -> bytes:
    """About as many bytes as the client sends: CONNECT and its three publishes."""
    connect = mqtt5.ConnectPacket("under-test", clean_start=True, keep_alive=10).write()
    publish = mqtt5.PublishPacket("t", b"xyz", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1).write()
    return connect + 3 * publish


class Publisher(Recorder):
    """Publishes its tokens as soon as the first connection has room, and acknowledges what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.mqtt: MqttClient[str] | None = None
        self.published: list[str] = []

    def room(self) -> None:
        while self.mqtt and self.mqtt.free and len(self.published) < len(TOKENS):
            token = TOKENS[len(self.published)]
            self.published.append(token)
            self.mqtt.publish("t", b"xyz", token)
        if self.mqtt:
            self.mqtt.acknowledge(self.messages)
        super().room()


async def one_connection(port: int, ended: asyncio.Event) -> Publisher:
    """Runs a client until the broker's script has ended and the client has noticed."""
    recorder = Publisher()
    async with running(client(port, recorder)) as mqtt:
        recorder.mqtt = mqtt
        await ended.wait()
        await recorder.until(lambda: not mqtt.is_connected and len(recorder.losses) == len(recorder.sessions))
    return recorder


def assert_each_token_has_one_fate(recorder: Publisher) -> None:
    assert sorted(recorder.fates().elements()) == recorder.published
    assert len(recorder.losses) == len(recorder.sessions)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_cut_at_every_byte_from_the_broker_each_token_is_answered_or_lost_once(reset: bool) -> None:
    stream = brokers_stream()
    answers = set()
    for length in range(len(stream) + 1):
        ended = asyncio.Event()

        async def cut(peer: Peer, length: int = length, ended: asyncio.Event = ended) -> None:
            if peer.number > 1:
                return
            await peer.next(mqtt5.ConnectPacket)
            connack = mqtt5.ConnAckPacket(receive_max=10, reason_str="welcome").write()
            peer.writer.write(stream[:length])
            if length >= len(connack):
                for _ in TOKENS:
                    await peer.next(mqtt5.PublishPacket)
            if reset:
                await asyncio.sleep(0.001)
                peer.reset()
            ended.set()

        async with broker(cut) as port:
            recorder = await one_connection(port, ended)
        assert_each_token_has_one_fate(recorder)
        answers.add(tuple(recorder.answers))

    assert answers == {(), (("b", 0),), (("b", 0), ("a", 16)), (("b", 0), ("a", 16), ("c", 0))}


@pytest.mark.parametrize("answering", [False, True], ids=["silent", "answering"])
async def test_cut_at_every_byte_to_the_broker_each_token_is_answered_or_lost_once(answering: bool) -> None:
    for length in range(1, len(clients_stream()) + 1):
        ended = asyncio.Event()

        async def cut(peer: Peer, length: int = length, ended: asyncio.Event = ended) -> None:
            if peer.number == 1:
                await read_and_answer(peer, length, answering)
                peer.reset()
                ended.set()

        async with broker(cut) as port:
            recorder = await one_connection(port, ended)
        assert_each_token_has_one_fate(recorder)


async def read_and_answer(peer: Peer, length: int, answering: bool) -> None:
    """Reads so many bytes, and answers the packets that are whole by then."""
    data = b""
    position = 0
    while len(data) < length:
        data += await peer.reader.readexactly(1)
        try:
            packet, size = mqtt5.read(memoryview(data)[position:])
        except IndexError:
            continue
        position += size
        if isinstance(packet, mqtt5.ConnectPacket):
            peer.send(mqtt5.ConnAckPacket())
        elif answering and isinstance(packet, mqtt5.PublishPacket):
            peer.send(mqtt5.PubAckPacket(packet.packet_id or 0))


async def test_what_was_unanswered_is_never_sent_again_by_the_client_itself() -> None:
    second_heard: list[mqtt5.Packet] = []

    async def forgets(peer: Peer) -> None:
        await peer.accept()
        if peer.number == 1:
            for _ in TOKENS:
                await peer.next(mqtt5.PublishPacket)
            return
        second_heard.append(await peer.packet())

    recorder = Publisher()
    async with broker(forgets) as port, running(client(port, recorder)) as mqtt:
        recorder.mqtt = mqtt
        await recorder.until(lambda: len(recorder.sessions) == 2)

    assert recorder.losses == [TOKENS, []]
    assert [type(packet) for packet in second_heard] == [mqtt5.DisconnectPacket]


async def test_bytes_that_come_after_the_loss_was_told_say_nothing() -> None:
    recorder = Recorder()
    connection = Connection(options(1), 1, recorder)
    connection.data_received(mqtt5.ConnAckPacket().write() + mqtt5.PublishPacket("t", b"before").write())
    connection.abandon()

    connection.data_received(mqtt5.PublishPacket("t", b"after").write())

    assert (recorder.payloads, recorder.losses) == ([b"before"], [[]])
