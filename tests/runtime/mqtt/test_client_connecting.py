"""Connecting, being refused, falling silent, leaving: against brokers written at the wire."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import mqtt5
import pytest
import uvloop
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from pulse.runtime.mqtt import ConnectionLost, MqttClient, MqttOptions, SubscribeRefused
from pulse.runtime.tls import RenewedContext, TlsFiles

from .recorder import Recorder, client, connected, options, running
from .wire import Peer, broker, server_tls

Granted = mqtt5.SubAckReasonCode
QOS_1 = mqtt5.QoS.AT_LEAST_ONCE
QOS_2 = mqtt5.PublishPacket("t", b"", qos=mqtt5.QoS.EXACTLY_ONCE, packet_id=1)


async def welcomes(peer: Peer) -> None:
    await peer.accept()
    await peer.closed()


async def loss_reason(script: Callable[[Peer], Awaitable[None]], **changes: object) -> str:
    """Why a client lost a connection that was treated by the script; its next one is treated well and must heal it."""

    async def first_badly(peer: Peer) -> None:
        if peer.number == 1:
            await script(peer)
        else:
            await welcomes(peer)

    with capture_logs() as logs:
        async with broker(first_badly) as port, running(client(port, recorder := Recorder(), **changes)) as mqtt:
            await recorder.until(lambda: mqtt.is_connected and any(e["log_level"] == "warning" for e in logs))
    assert len(recorder.sessions) == len(recorder.losses)
    return next(str(entry["reason"]) for entry in logs if entry["event"] == "mqtt_connection_lost")


# Brokers that end or spoil a connection


async def test_a_refused_connection_is_logged_with_its_reason_and_tried_again() -> None:
    async def refuses(peer: Peer) -> None:
        await peer.accept(mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD))
        await peer.closed()

    assert "134: BAD_USER_NAME_OR_PASSWORD" in await loss_reason(refuses)


async def test_a_connack_that_never_comes_is_waited_for_no_longer_than_the_connect_timeout() -> None:
    assert "CONNACK within 0.2 s" in await loss_reason(Peer.closed, connect_timeout=0.2)


async def test_a_disconnect_of_the_broker_is_logged_with_its_reason() -> None:
    async def taken_over(peer: Peer) -> None:
        await peer.accept()
        peer.send(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER))
        await peer.closed()

    assert "142: SESSION_TAKEN_OVER" in await loss_reason(taken_over)


@pytest.mark.parametrize(
    "bad", [b"\x00\x00", mqtt5.PublishPacket("t", b"", qos=mqtt5.QoS.EXACTLY_ONCE, packet_id=1).write()]
)
async def test_the_broker_is_told_of_its_protocol_error(bad: bytes) -> None:
    told: list[int] = []

    async def errs(peer: Peer) -> None:
        await peer.accept()
        peer.writer.write(bad)
        told.append(int((await peer.next(mqtt5.DisconnectPacket)).reason_code))

    reason = await loss_reason(errs)

    assert told == [130]
    assert "malformed" in reason or "QoS 2" in reason


async def test_messages_before_a_malformed_packet_are_delivered() -> None:
    async def errs_later(peer: Peer) -> None:
        await peer.accept()
        peer.writer.write(mqtt5.PublishPacket("t", b"whole").write() + b"\x00\x00")
        await peer.closed()

    recorder = Recorder()
    async with broker(errs_later) as port, running(client(port, recorder)):
        await recorder.until(lambda: bool(recorder.losses))

    assert recorder.payloads[0] == b"whole"


async def test_a_broker_that_does_not_answer_pings_is_left_within_one_and_a_half_intervals() -> None:
    pings: list[float] = []

    async def deaf(peer: Peer) -> None:
        await peer.accept()
        started = asyncio.get_running_loop().time()
        while isinstance(await peer.packet(), mqtt5.PingReqPacket):
            pings.append(asyncio.get_running_loop().time() - started)

    started = asyncio.get_running_loop().time()
    assert await loss_reason(deaf, keep_alive=1) == "the broker is silent"
    assert asyncio.get_running_loop().time() - started < 1.5 + 0.2 + 0.5  # the last two: backoff, a busy machine
    assert len(pings) == 2


async def test_the_brokers_shorter_keep_alive_is_kept() -> None:
    async def pinged_in_time(peer: Peer) -> None:
        await peer.accept(mqtt5.ConnAckPacket(server_keep_alive=1))
        async with asyncio.timeout(1.0):
            while not isinstance(await peer.packet(), mqtt5.PingReqPacket):
                pass

    assert await loss_reason(pinged_in_time, keep_alive=60) == "the broker closed the connection"


async def test_a_quiet_connection_with_answered_pings_stays() -> None:
    async def serves(peer: Peer) -> None:
        await peer.accept()
        await peer.closed()

    recorder = Recorder()
    async with broker(serves) as port, connected(port, recorder, keep_alive=1):
        await asyncio.sleep(2.2)

    assert recorder.sessions == [False]


async def test_while_reading_is_paused_messages_wait_and_the_broker_is_not_taken_for_dead() -> None:
    async def deaf(peer: Peer) -> None:
        await peer.accept()
        await peer.next(mqtt5.PublishPacket)
        peer.send(mqtt5.PublishPacket("t", b"waits"))
        while not isinstance(await peer.packet(), mqtt5.DisconnectPacket):
            pass

    recorder = Recorder()
    async with broker(deaf) as port, connected(port, recorder, keep_alive=1) as mqtt:
        mqtt.pause_reading()
        mqtt.publish("t", b"", "go")
        await asyncio.sleep(2.2)
        assert (recorder.messages, recorder.losses) == ([], [])
        mqtt.resume_reading()
        await recorder.until(lambda: recorder.payloads == [b"waits"])


# Sessions and options


async def test_a_session_that_the_broker_has_lost_is_told_on_reconnect() -> None:
    connects: list[tuple[bool, int]] = []

    async def forgetful(peer: Peer) -> None:
        connect = await peer.accept(mqtt5.ConnAckPacket(session_present=peer.number == 2))
        connects.append((connect.clean_start, connect.session_expiry_interval))
        if peer.number == 3:
            await peer.closed()

    recorder = Recorder()
    async with (
        broker(forgetful) as port,
        running(client(port, recorder, clean_start=False, session_expiry=60)) as mqtt,
    ):
        await recorder.until(lambda: len(recorder.sessions) == 3 and mqtt.is_connected)

    assert recorder.sessions == [False, True, False]
    assert connects == [(False, 60)] * 3


async def test_options_are_asked_for_before_every_connect() -> None:
    names: list[str] = []

    async def closes_at_once(peer: Peer) -> None:
        names.append((await peer.accept()).client_id)

    recorder = Recorder()
    async with broker(closes_at_once) as port:

        async def renamed() -> MqttOptions:
            return options(port, client_id=f"member-{len(names)}")

        async with running(MqttClient(renamed, recorder)):
            await recorder.until(lambda: len(recorder.losses) == 3)

    assert names[:3] == ["member-0", "member-1", "member-2"]


async def test_what_options_raise_ends_the_client() -> None:
    async def no_lease() -> MqttOptions:
        raise LookupError("no lease")

    with pytest.raises(ExceptionGroup) as ended:
        await MqttClient[str](no_lease, Recorder()).run(asyncio.Event())
    assert ended.group_contains(LookupError, match="no lease")


async def test_what_a_handler_raises_ends_the_client_and_loses_what_is_unanswered() -> None:
    class Broken(Recorder):
        def answered(self, token: str, reason_code: int) -> None:
            raise LookupError(token)

    async def answers_one(peer: Peer) -> None:
        await peer.accept()
        publish = await peer.next(mqtt5.PublishPacket)
        await peer.next(mqtt5.PublishPacket)
        peer.send(mqtt5.PubAckPacket(publish.packet_id or 0))
        await peer.closed()

    recorder = Broken()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the loop would print it as well
    async with broker(answers_one) as port:
        mqtt = client(port, recorder)

        def publish_both() -> None:
            mqtt.publish("t", b"", "first")
            mqtt.publish("t", b"", "second")

        recorder.on_room = publish_both
        with pytest.raises(ExceptionGroup) as ended:
            await mqtt.run(asyncio.Event())
    asyncio.get_running_loop().set_exception_handler(None)

    assert ended.group_contains(LookupError, match="first")
    assert recorder.losses == [["second"]]


@pytest.mark.parametrize("wrong", [{"window": 0}, {"keep_alive": 0}, {"keep_alive": 65536}, {"receive_max": 0}])
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        options(1, **wrong)


def test_the_password_is_never_shown() -> None:
    assert "secret" not in repr(options(1, password="secret"))


# Subscribing


async def test_a_filter_that_is_refused_or_granted_too_low_is_named() -> None:
    async def refuses(peer: Peer) -> None:
        await peer.accept()
        for code in (Granted.NOT_AUTHORIZED, Granted.GRANTED_QOS_AT_MOST_ONCE):
            subscribe = await peer.next(mqtt5.SubscribePacket)
            peer.send(mqtt5.SubAckPacket(subscribe.packet_id, [Granted.GRANTED_QOS_AT_LEAST_ONCE, code]))
        await peer.closed()

    async with broker(refuses) as port, connected(port, Recorder()) as mqtt:
        for code in (135, 0):
            with pytest.raises(SubscribeRefused) as refused:
                await mqtt.subscribe("fine", "not/fine")
            assert (refused.value.topic_filter, refused.value.reason_code) == ("not/fine", code)
        assert mqtt.is_connected


async def test_a_subscription_fails_when_the_connection_goes_or_there_is_none() -> None:
    async def closes(peer: Peer) -> None:
        await peer.accept()
        await peer.next(mqtt5.SubscribePacket)

    with pytest.raises(ConnectionLost):
        await client(1, Recorder()).subscribe("a")
    async with broker(closes) as port, connected(port, Recorder()) as mqtt:
        with pytest.raises(ConnectionLost):
            await mqtt.subscribe("a")


async def test_a_broker_that_never_answers_a_subscription_is_left() -> None:
    async def ignores(peer: Peer) -> None:
        await peer.accept()
        await peer.closed()

    recorder = Recorder()
    async with broker(ignores) as port, connected(port, recorder, connect_timeout=0.2) as mqtt:
        with pytest.raises(ConnectionLost, match="no answer"):
            await mqtt.subscribe("a")
        await recorder.until(lambda: len(recorder.sessions) == 2)


# Acknowledging


async def test_acknowledgements_of_an_older_connection_are_dropped() -> None:
    acknowledged: list[int] = []

    async def repeats(peer: Peer) -> None:
        await peer.accept()
        peer.send(mqtt5.PublishPacket("t", b"x", qos=QOS_1, packet_id=1, duplicate=peer.number > 1))
        if peer.number > 1:
            acknowledged.append((await peer.next(mqtt5.PubAckPacket)).packet_id)
            with pytest.raises(EOFError):
                await peer.next(mqtt5.PubAckPacket)

    recorder = Recorder()
    async with broker(repeats) as port, running(client(port, recorder)) as mqtt:
        await recorder.until(lambda: len(recorder.messages) == 2)
        older, newer = recorder.messages
        mqtt.acknowledge([older, newer, newer])
        await asyncio.sleep(0.05)

    assert (older.connection, newer.connection, newer.duplicate) == (1, 2, True)
    assert acknowledged == [1]


async def test_nothing_is_acknowledged_by_itself() -> None:
    heard: list[mqtt5.Packet] = []

    async def listens(peer: Peer) -> None:
        await peer.accept()
        peer.send(mqtt5.PublishPacket("t", b"x", qos=QOS_1, packet_id=1))
        heard.append(await peer.packet())

    recorder = Recorder()
    async with broker(listens) as port, connected(port, recorder):
        await recorder.until(lambda: bool(recorder.messages))
        await asyncio.sleep(0.05)

    assert [type(packet) for packet in heard] == [mqtt5.DisconnectPacket]


# Leaving


async def test_stop_ends_with_a_disconnect_and_an_empty_loss() -> None:
    said: list[mqtt5.DisconnectPacket] = []

    async def listens(peer: Peer) -> None:
        await peer.accept()
        said.append(await peer.next(mqtt5.DisconnectPacket))

    recorder = Recorder()
    async with broker(listens) as port, connected(port, recorder):
        pass

    assert [(int(packet.reason_code), packet.session_expiry_interval) for packet in said] == [(0, None)]
    assert recorder.losses == [[]]


async def test_disconnect_can_end_the_session_and_ends_the_client() -> None:
    said: list[int | None] = []

    async def listens(peer: Peer) -> None:
        await peer.accept()
        said.append((await peer.next(mqtt5.DisconnectPacket)).session_expiry_interval)

    recorder = Recorder()
    async with broker(listens) as port:
        mqtt = client(port, recorder, session_expiry=60)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(mqtt.run(asyncio.Event()))  # never set: disconnect alone must end it
            await recorder.until(lambda: mqtt.is_connected)
            await mqtt.disconnect(session_expiry=0)

    assert said == [0]
    with pytest.raises(ConnectionLost):
        await mqtt.disconnect()


async def test_a_broker_that_does_not_close_is_not_waited_for_long() -> None:
    async def lingers(peer: Peer) -> None:
        await peer.accept()
        await peer.next(mqtt5.DisconnectPacket)
        await asyncio.sleep(60)

    async with asyncio.timeout(4):
        async with broker(lingers) as port, connected(port, Recorder()):
            pass


@pytest.mark.parametrize("connect_timeout", [0.05, 60.0], ids=["between attempts", "while connecting"])
async def test_stop_ends_the_client_at_once_when_there_is_no_connection(connect_timeout: float) -> None:
    async with asyncio.timeout(1):
        async with broker(Peer.closed) as port, running(client(port, Recorder(), connect_timeout=connect_timeout)):
            await asyncio.sleep(0.1)


# Transports


def test_it_works_on_uvloop_and_notices_a_full_socket_there() -> None:
    async def round_trip() -> Recorder:
        go_on = asyncio.Event()

        async def slow(peer: Peer) -> None:
            await peer.accept()
            await go_on.wait()
            while True:
                publish = await peer.next(mqtt5.PublishPacket)
                peer.send(mqtt5.PubAckPacket(publish.packet_id or 0))

        recorder = Recorder()
        async with broker(slow) as port, connected(port, recorder, window=65535) as mqtt:
            sent = 0
            while mqtt.free:
                mqtt.publish("t", bytes(100_000), str(sent))
                sent += 1
            go_on.set()
            await recorder.until(lambda: len(recorder.answers) == sent and mqtt.free > 0)
        return recorder

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        recorder = runner.run(round_trip())

    assert 1 < len(recorder.answers) < 1000
    assert set(recorder.fates().values()) == {1}


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_it_works_over_tls(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    server, trusting = server_tls()

    async def round_trip() -> Recorder:
        async def answers(peer: Peer) -> None:
            await peer.accept()
            while True:
                publish = await peer.next(mqtt5.PublishPacket)
                peer.send(mqtt5.PubAckPacket(publish.packet_id or 0))

        recorder = Recorder()
        async with broker(answers, tls=server) as port, connected(port, recorder, tls=trusting) as mqtt:
            for number in range(100):
                mqtt.publish("t", bytes(1000), str(number))
            await recorder.until(lambda: len(recorder.answers) == 100)
        return recorder

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        recorder = runner.run(round_trip())

    assert set(recorder.fates().values()) == {1}
    assert recorder.losses == [[]]


async def test_metrics_say_when_the_broker_s_certificate_ends_and_the_authority_s(tmp_path: Path) -> None:
    server, trusting_it = server_tls()
    file = tmp_path / "ca.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(trusting_it.get_ca_certs(binary_form=True)[0]))
    async with (
        broker(welcomes, tls=server) as port,
        connected(port, Recorder(), tls=RenewedContext(TlsFiles("MQTT", "broker", file))),
    ):
        ends = [
            REGISTRY.get_sample_value(
                "pulse_tls_certificate_not_after_timestamp_seconds", {"role": role, "whose": "broker"}
            )
            for role in ("peer", "authority")
        ]
    assert ends == [pytest.approx(time.time() + 3600, abs=60)] * 2


async def test_metrics_count_connects_by_how_they_ended() -> None:
    def counted() -> list[float]:
        results = ("accepted", "refused", "failed")
        return [REGISTRY.get_sample_value("pulse_mqtt_connects_total", {"result": r}) or 0.0 for r in results]

    async def refuses(peer: Peer) -> None:
        await peer.next(mqtt5.ConnectPacket)
        peer.send(mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.NOT_AUTHORIZED))

    async def hangs_up(peer: Peer) -> None:
        peer.reset()

    before = counted()
    async with broker(welcomes) as port, connected(port, Recorder()):
        pass
    for script, place in ((refuses, 1), (hangs_up, 2)):
        async with broker(script) as port, running(client(port, Recorder())):
            async with asyncio.timeout(5):
                while counted()[place] == before[place]:
                    await asyncio.sleep(0.01)
    assert counted()[0] == before[0] + 1


async def test_a_certificate_that_is_not_trusted_is_a_lost_connection() -> None:
    server, _ = server_tls()
    _, trusts_another = server_tls()

    with capture_logs() as logs:
        async with (
            broker(Peer.closed, tls=server) as port,
            running(client(port, recorder := Recorder(), tls=trusts_another)),
        ):
            async with asyncio.timeout(5):
                while not logs:
                    await asyncio.sleep(0.01)

    assert "its certificate is not trusted: self-signed certificate (MQTT_CA_FILE)" in logs[0]["reason"]
    assert recorder.losses == []
