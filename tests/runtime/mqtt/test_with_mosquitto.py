"""The session against the real Mosquitto."""

import asyncio
from collections import Counter
from uuid import uuid4

from .conftest import Mosquitto
from .recorder import Recorder, client, connected, running


async def test_a_publish_is_answered_16_without_a_subscriber_and_0_with_one(mosquitto: Mosquitto) -> None:
    publisher, subscriber = Recorder(), Recorder()
    async with connected(mosquitto.port, publisher, client_id=uuid4().hex) as mqtt:
        mqtt.publish("nobody/listens", b"", "unheard")
        async with connected(mosquitto.port, subscriber, client_id=uuid4().hex) as listener:
            await listener.subscribe("some/+")
            mqtt.publish("some/one", b"hello", "heard", expiry=60, user_properties=[("traceparent", "00-1")])
            await subscriber.until(lambda: bool(subscriber.messages))
            await publisher.until(lambda: len(publisher.answers) == 2)

    assert publisher.answers == [("unheard", 16), ("heard", 0)]
    [message] = subscriber.messages
    assert (message.topic, message.payload, message.qos) == ("some/one", b"hello", 1)
    assert message.user_properties == (("traceparent", "00-1"),)


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(mosquitto: Mosquitto) -> None:
    name = uuid4().hex
    keeps = {"client_id": name, "clean_start": False, "session_expiry": 60}
    first, second, third = Recorder(), Recorder(), Recorder()
    async with connected(mosquitto.port, first, **keeps) as mqtt:
        await mqtt.subscribe(f"{name}/t")
        for number in range(20):
            mqtt.publish(f"{name}/t", str(number).encode(), str(number))
        await first.until(lambda: len(first.messages) == 20)
        mqtt.acknowledge(first.messages[:7])
    async with connected(mosquitto.port, second, **keeps) as mqtt:
        await second.until(lambda: len(second.messages) == 13)
        mqtt.acknowledge([*first.messages, *second.messages])
    async with connected(mosquitto.port, third, **keeps):
        await asyncio.sleep(0.1)

    assert (first.sessions, second.sessions, third.sessions) == ([False], [True], [True])
    assert second.payloads == [str(number).encode() for number in range(7, 20)]
    assert all(message.duplicate for message in second.messages)
    assert third.messages == []


async def test_a_session_lives_as_long_as_its_expiry_and_disconnect_can_end_it(mosquitto: Mosquitto) -> None:
    keeps = {"client_id": uuid4().hex, "clean_start": False, "session_expiry": 1}
    present = []
    for pause, ending in ((0.0, None), (2.5, None), (0.0, 0), (0.0, None)):
        recorder = Recorder()
        async with connected(mosquitto.port, recorder, **keeps) as mqtt:
            await mqtt.disconnect(session_expiry=ending)
        present += recorder.sessions
        await asyncio.sleep(pause)

    assert present == [False, True, False, False]


async def test_after_unsubscribe_nothing_comes(mosquitto: Mosquitto) -> None:
    name = uuid4().hex
    recorder = Recorder()
    async with connected(mosquitto.port, recorder, client_id=name) as mqtt:
        await mqtt.subscribe(f"$share/group/{name}/t")
        mqtt.publish(f"{name}/t", b"", "before")
        await recorder.until(lambda: bool(recorder.messages) and len(recorder.answers) == 1)
        await mqtt.unsubscribe(f"$share/group/{name}/t")
        mqtt.publish(f"{name}/t", b"", "after")
        await recorder.until(lambda: len(recorder.answers) == 2)

    assert recorder.answers == [("before", 0), ("after", 16)]


async def test_a_client_that_takes_over_its_name_pushes_out_the_other(mosquitto: Mosquitto) -> None:
    older, newer = Recorder(), Recorder()
    name = uuid4().hex
    async with connected(mosquitto.port, older, client_id=name) as mqtt:
        async with connected(mosquitto.port, newer, client_id=name):
            await older.until(lambda: bool(older.losses))
        await older.until(lambda: mqtt.is_connected)

    assert len(older.sessions) >= 2


async def test_a_killed_broker_loses_what_is_unanswered_and_its_return_heals(mosquitto: Mosquitto) -> None:
    recorder = Recorder()
    tokens = iter(range(1_000_000))
    published: list[str] = []
    async with running(client(mosquitto.port, recorder, client_id=uuid4().hex)) as mqtt:

        def fill() -> None:
            while mqtt.free:
                published.append(str(next(tokens)))
                mqtt.publish("t", bytes(300), published[-1])

        recorder.on_room = fill
        await recorder.until(lambda: len(recorder.answers) > 2000)
        mosquitto.kill()
        await recorder.until(lambda: bool(recorder.losses))
        assert not mqtt.is_connected
        assert len(recorder.losses[0]) <= 500
        mosquitto.start()
        answered = len(recorder.answers)
        await recorder.until(lambda: len(recorder.answers) > answered + 2000)
        recorder.on_room = lambda: None

    assert recorder.fates() == Counter(published)
