"""Publishing through brokers that answer late, twice, in disorder, or not at all."""

import asyncio
from collections import Counter

import mqtt5
import pytest

from pulse.runtime.mqtt import MqttClient, NotReady, PacketTooLarge

from .recorder import Recorder, client, connected, running
from .wire import Peer, broker


async def test_each_publish_is_answered_with_its_token_and_reason_code() -> None:
    async def answers(peer: Peer) -> None:
        await peer.accept()
        publish = await peer.next(mqtt5.PublishPacket)
        assert (publish.topic, publish.payload, publish.message_expiry_interval) == ("a/b", b"x", 5)
        assert publish.packet_id is not None
        refused = mqtt5.PubAckReasonCode.NOT_AUTHORIZED
        peer.send(mqtt5.PubAckPacket(publish.packet_id, reason_code=refused))
        await peer.closed()

    recorder = Recorder()
    async with broker(answers) as port, connected(port, recorder) as mqtt:
        mqtt.publish("a/b", b"x", "token", expiry=5)
        await recorder.until(lambda: bool(recorder.answers))

    assert recorder.answers == [("token", 135)]
    assert recorder.losses == [[]]


async def test_answers_repeated_out_of_order_and_invented_answer_each_token_once() -> None:
    async def confused(peer: Peer) -> None:
        await peer.accept()
        publishes = [await peer.next(mqtt5.PublishPacket) for _ in range(10)]
        ids = [publish.packet_id or 0 for publish in publishes]
        peer.send(*[mqtt5.PubAckPacket(number) for number in [*ids[::-1], 60_000, 0, *ids]])
        peer.send(mqtt5.PublishPacket("done", b""))
        await peer.closed()

    recorder = Recorder()
    tokens = [str(number) for number in range(10)]
    async with broker(confused) as port, connected(port, recorder) as mqtt:
        for token in tokens:
            mqtt.publish("t", b"", token)
        await recorder.until(lambda: bool(recorder.messages))

    assert [token for token, _ in recorder.answers] == tokens[::-1]


async def test_receive_maximum_one_means_one_at_a_time() -> None:
    outstanding: list[int] = []

    async def narrow(peer: Peer) -> None:
        await peer.accept(mqtt5.ConnAckPacket(receive_max=1))
        for _ in range(20):
            publish = await peer.next(mqtt5.PublishPacket)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.002):
                    await peer.packet()
            outstanding.append(publish.packet_id or 0)
            peer.send(mqtt5.PubAckPacket(publish.packet_id or 0))
        await peer.closed()

    recorder = Recorder()
    waiting = [str(number) for number in range(20)]
    async with broker(narrow) as port, running(client(port, recorder)) as mqtt:

        def fill() -> None:
            while mqtt.free and waiting:
                mqtt.publish("t", b"", waiting.pop(0))

        recorder.on_room = fill
        await recorder.until(lambda: len(recorder.answers) == 20)

    assert len(outstanding) == 20
    assert recorder.fates() == Counter(str(number) for number in range(20))


async def test_a_window_above_the_65535_identifiers_fills_to_them_and_goes_on() -> None:
    async def silent_then_answers_all(peer: Peer) -> None:
        await peer.accept()
        ids = {(await peer.next(mqtt5.PublishPacket)).packet_id for _ in range(65535)}
        assert ids == set(range(1, 65536))
        peer.send(*[mqtt5.PubAckPacket(number) for number in range(1, 65536)])
        publish = await peer.next(mqtt5.PublishPacket)
        peer.send(mqtt5.PubAckPacket(publish.packet_id or 0))
        await peer.closed()

    recorder = Recorder()
    async with broker(silent_then_answers_all) as port, connected(port, recorder, window=1_000_000) as mqtt:
        sent = 0
        while sent < 65535:
            for _ in range(mqtt.free):
                mqtt.publish("t", b"", str(sent))
                sent += 1
                if not mqtt.free:
                    break
            await asyncio.sleep(0)
        with pytest.raises(NotReady):
            mqtt.publish("t", b"", "one too many")
        await recorder.until(lambda: len(recorder.answers) == 65535)
        mqtt.publish("t", b"", "next")
        await recorder.until(lambda: len(recorder.answers) == 65536)

    assert set(recorder.fates().values()) == {1}


async def test_a_socket_that_does_not_take_more_stops_publishing_until_it_does() -> None:
    go_on = asyncio.Event()

    async def stops_reading(peer: Peer) -> None:
        await peer.accept()
        await go_on.wait()
        while True:
            publish = await peer.next(mqtt5.PublishPacket)
            peer.send(mqtt5.PubAckPacket(publish.packet_id or 0))

    recorder = Recorder()
    payload = bytes(100_000)
    async with broker(stops_reading) as port, connected(port, recorder, window=65535) as mqtt:
        sent = fill(mqtt, payload, 0)
        assert mqtt.is_connected
        assert sent * len(payload) < 30_000_000  # what the kernel's buffers hold, and one packet of ours
        with pytest.raises(NotReady):
            mqtt.publish("t", payload, "refused")
        for _ in range(5):
            await asyncio.sleep(0.01)
            assert mqtt.free == 0
        rooms = recorder.rooms
        go_on.set()
        await recorder.until(lambda: len(recorder.answers) == sent and recorder.rooms > rooms)
        sent += fill(mqtt, b"small", sent, most=10)
        await recorder.until(lambda: len(recorder.answers) == sent)

    assert recorder.fates() == Counter(str(number) for number in range(sent))


async def test_of_what_the_socket_does_not_take_only_the_rest_of_one_packet_waits_in_this_process() -> None:
    async def reads_nothing(peer: Peer) -> None:
        await peer.accept()
        await asyncio.Event().wait()

    payload = bytes(1000)
    async with broker(reads_nothing) as port:
        mqtt = client(port, recorder := Recorder(), window=65535)
        async with asyncio.TaskGroup() as group:
            running_client = group.create_task(mqtt.run(asyncio.Event()))
            await recorder.until(lambda: mqtt.is_connected)
            sent = fill(mqtt, payload, 0, most=65535)
            assert mqtt._connection is not None
            assert mqtt._connection._transport is not None
            waiting_here = mqtt._connection._transport.get_write_buffer_size()
            running_client.cancel()

    assert sent < 65535
    assert 0 < waiting_here <= len(payload) + 20
    assert recorder.losses == [[str(number) for number in range(sent)]]


def fill(mqtt: MqttClient[str], payload: bytes, first: int, most: int = 10_000) -> int:
    """Publishes without a pause while there is room; how many."""
    for count in range(most):
        if not mqtt.free:
            return count
        mqtt.publish("t", payload, str(first + count))
    return most


async def test_a_publish_above_the_brokers_maximum_packet_size_is_refused_and_the_connection_stays() -> None:
    async def small(peer: Peer) -> None:
        await peer.accept(mqtt5.ConnAckPacket(max_packet_size=1000))
        publish = await peer.next(mqtt5.PublishPacket)
        peer.send(mqtt5.PubAckPacket(publish.packet_id or 0))
        await peer.closed()

    recorder = Recorder()
    async with broker(small) as port, connected(port, recorder) as mqtt:
        with pytest.raises(PacketTooLarge):
            mqtt.publish("t", bytes(1000), "large")
        mqtt.publish("t", bytes(900), "fits")
        await recorder.until(lambda: bool(recorder.answers))

    assert recorder.fates() == Counter(["fits"])


async def test_nothing_is_free_and_nothing_published_without_a_connection() -> None:
    mqtt = client(1, Recorder())

    assert (mqtt.free, mqtt.is_connected) == (0, False)
    with pytest.raises(NotReady):
        mqtt.publish("t", b"", "token")
