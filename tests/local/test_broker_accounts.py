"""The broker's accounts and access rules, as a real Mosquitto judges them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest
from mqtt5 import ConnAckPacket, ConnectPacket, PubAckPacket, PublishPacket, QoS, read

from local_stack import broker_accounts
from local_stack.errors import StackError
from local_stack.mosquitto import OBSERVER
from local_stack.mqtt_probe import connect_code
from pulse.contracts.mqtt import command_topic, report_topic, user_name
from tests.real_parts import Broker

NO_SUBSCRIBER, REFUSED = 16, 135
BAD_PASSWORD = (134, 135)


@asynccontextmanager
async def connected(broker: Broker, user: str, password: str) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client(
        broker.host, broker.port, username=user, password=password, protocol=aiomqtt.ProtocolVersion.V5
    ) as client:
        yield client


def device(broker: Broker, name: str) -> tuple[str, str]:
    account = user_name("acme", name), f"password of {name}"
    broker.add_accounts(dict([account]))
    return account


def publish_codes(broker: Broker, user: str, password: str, *topics: str) -> list[int]:
    """The reason codes with which the broker answers a publish to each topic, asked at the wire."""
    with socket.create_connection((broker.host, broker.port), 5) as connection:
        stream = connection.makefile("rwb", buffering=0)
        stream.write(ConnectPacket("", username=user, password=password.encode(), clean_start=True).write())
        assert packet_of(stream).reason_code == 0
        codes = []
        for number, topic in enumerate(topics, start=1):
            stream.write(PublishPacket(topic, payload=b"{}", qos=QoS.AT_LEAST_ONCE, packet_id=number).write())
            codes.append(int(packet_of(stream).reason_code))
        return codes


def packet_of(stream: socket.SocketIO) -> ConnAckPacket | PubAckPacket:
    """The next packet; all that the broker sends here is shorter than 128 bytes."""
    head = stream.read(2)
    packet, _ = read(memoryview(head + stream.read(head[1])))
    assert isinstance(packet, ConnAckPacket | PubAckPacket)
    return packet


async def test_the_broker_accepts_a_hash_that_we_wrote_and_no_other_password(mosquitto: Broker) -> None:
    user, password = device(mosquitto, "hashed")
    assert connect_code(mosquitto.port, user, password) == 0
    assert connect_code(mosquitto.port, user, "another") in BAD_PASSWORD
    assert connect_code(mosquitto.port, "nobody", password) in BAD_PASSWORD


async def test_five_hundred_accounts_are_accepted_by_a_running_broker(mosquitto: Broker) -> None:
    accounts = {user_name("acme", f"bulk-{n}"): f"password {n}" for n in range(500)}
    mosquitto.add_accounts(accounts)
    for number in (0, 250, 499):
        assert connect_code(mosquitto.port, user_name("acme", f"bulk-{number}"), f"password {number}") == 0
    assert connect_code(mosquitto.port, mosquitto.admin_user, mosquitto.admin_password) == 0


async def test_a_connected_device_stays_connected_while_accounts_are_added(mosquitto: Broker) -> None:
    user, password = device(mosquitto, "stays")
    async with connected(mosquitto, user, password) as client:
        device(mosquitto, "newcomer")
        await client.publish(report_topic("acme", "stays"), b"{}", qos=1, timeout=5)


def test_a_device_writes_its_own_reports_and_no_foreign_topic(mosquitto: Broker) -> None:
    user, password = device(mosquitto, "writer")
    own = report_topic("acme", "writer")
    foreign = (
        report_topic("acme", "other"),
        report_topic("globex", "writer"),
        command_topic("acme", "writer"),
        "pulse/ingest/0/marker",
    )
    assert publish_codes(mosquitto, user, password, own, *foreign) == [NO_SUBSCRIBER, *[REFUSED] * len(foreign)]


async def test_a_device_reads_its_own_commands_and_no_other_ones(mosquitto: Broker) -> None:
    user, password = device(mosquitto, "reader")
    sender, secret = "svc-dispatcher", mosquitto.password("svc-dispatcher")
    async with connected(mosquitto, user, password) as client, connected(mosquitto, sender, secret) as dispatcher:
        await client.subscribe("#", qos=1)
        await dispatcher.publish(command_topic("acme", "somebody"), b"foreign", qos=1)
        await dispatcher.publish(command_topic("acme", "reader"), b"own", qos=1)
        first = await asyncio.wait_for(anext(client.messages), 5)
        assert first.payload == b"own"


def test_services_are_kept_to_their_topics(mosquitto: Broker) -> None:
    command, report, marker = command_topic("acme", "any"), report_topic("acme", "any"), "pulse/ingest/0/marker"
    dispatcher = ("svc-dispatcher", mosquitto.password("svc-dispatcher"))
    ingest = ("svc-ingest", mosquitto.password("svc-ingest"))
    assert publish_codes(mosquitto, *dispatcher, command, report, marker) == [NO_SUBSCRIBER, REFUSED, REFUSED]
    assert publish_codes(mosquitto, *ingest, marker, command, report) == [NO_SUBSCRIBER, REFUSED, REFUSED]


async def test_ingest_reads_reports_through_a_shared_subscription(mosquitto: Broker) -> None:
    user, password = device(mosquitto, "heard")
    async with (
        connected(mosquitto, "svc-ingest", mosquitto.password("svc-ingest")) as ingest,
        connected(mosquitto, user, password) as client,
    ):
        await ingest.subscribe("$share/pulse-ingest/tenant/+/device/+/ota/status", qos=1)
        await client.publish(report_topic("acme", "heard"), b"report", qos=1)
        assert (await asyncio.wait_for(anext(ingest.messages), 5)).payload == b"report"


async def test_admin_sees_every_topic_and_the_broker_itself(mosquitto: Broker) -> None:
    async with connected(mosquitto, mosquitto.admin_user, mosquitto.admin_password) as admin:
        await admin.subscribe("$SYS/broker/version")
        assert b"mosquitto" in (await asyncio.wait_for(anext(admin.messages), 5)).payload
        await admin.subscribe("tenant/#")
        await admin.publish(command_topic("acme", "any"), b"seen", qos=1)
        assert (await asyncio.wait_for(anext(admin.messages), 5)).payload == b"seen"


NO_REPORTS = [
    "#",
    "tenant/#",
    "tenant/acme/#",
    "+/+/+/+/+",
    "tenant/+/device/+/+",
    command_topic("acme", "away"),
    f"$share/mine/{command_topic('acme', 'away')}",
    "$share/pulse-ingest/tenant/+/device/+/ota/status",
    "$SYS/#",
    "$CONTROL/#",
]


@asynccontextmanager
async def observing(broker: Broker) -> AsyncIterator[aiomqtt.Client]:
    async with connected(broker, OBSERVER, broker.password(OBSERVER)) as observer:
        yield observer


async def granted(client: aiomqtt.Client, topic: str) -> int:
    """The reason code with which the broker answers a subscription: the QoS, or from 128 up a refusal."""
    [code] = await client.subscribe(topic, qos=1)
    return code if isinstance(code, int) else code.value


def answer_to_a_command(broker: Broker) -> int:
    """With which reason code the broker answers the command to a device that is offline."""
    [code] = publish_codes(broker, "svc-dispatcher", broker.password("svc-dispatcher"), command_topic("acme", "away"))
    return code


@pytest.mark.parametrize("topic", NO_REPORTS)
async def test_an_observer_who_asks_for_more_than_reports_gets_nothing_and_no_device_looks_online_for_it(
    mosquitto: Broker, topic: str
) -> None:
    async with observing(mosquitto) as observer:
        assert await granted(observer, topic) == REFUSED
        assert answer_to_a_command(mosquitto) == NO_SUBSCRIBER


@pytest.mark.parametrize(
    "topic", ["tenant/+/device/+/ota/status", "tenant/acme/device/+/ota/status", report_topic("acme", "watched")]
)
async def test_an_observer_reads_reports_and_a_command_to_a_device_that_is_away_is_answered_so(
    mosquitto: Broker, topic: str
) -> None:
    user, password = device(mosquitto, "watched")
    async with observing(mosquitto) as observer, connected(mosquitto, user, password) as client:
        assert await granted(observer, topic) == 1
        await client.publish(report_topic("acme", "watched"), b"report", qos=1)
        assert (await asyncio.wait_for(anext(observer.messages), 5)).payload == b"report"
        assert answer_to_a_command(mosquitto) == NO_SUBSCRIBER


def test_an_observer_says_nothing(mosquitto: Broker) -> None:
    topics = (command_topic("acme", "any"), report_topic("acme", "any"), "pulse/ingest/0/marker", "x")
    assert publish_codes(mosquitto, OBSERVER, mosquitto.password(OBSERVER), *topics) == [REFUSED] * 4


def test_nobody_can_change_whom_the_broker_lets_observe(mosquitto: Broker) -> None:
    control = "$CONTROL/dynamic-security/v1"
    own, password = device(mosquitto, "curious")
    services = [(user, mosquitto.password(user)) for user in ("admin", "svc-ingest", "svc-dispatcher", OBSERVER)]
    for user, secret in [*services, (own, password)]:
        assert publish_codes(mosquitto, user, secret, control) == [REFUSED], user


async def test_an_observer_is_kept_to_reports_after_accounts_were_read_again_and_after_a_restart(
    mosquitto: Broker,
) -> None:
    device(mosquitto, "reread")
    await test_an_observer_who_asks_for_more_than_reports_gets_nothing_and_no_device_looks_online_for_it(
        mosquitto, "tenant/#"
    )
    await mosquitto.stop()
    await mosquitto.start()
    await test_an_observer_who_asks_for_more_than_reports_gets_nothing_and_no_device_looks_online_for_it(
        mosquitto, "tenant/#"
    )


async def test_who_watches_commands_makes_every_device_look_as_if_it_were_there(mosquitto: Broker) -> None:
    """The reason for all that, and why operations.md warns of it."""
    async with connected(mosquitto, mosquitto.admin_user, mosquitto.admin_password) as admin:
        await admin.subscribe("tenant/#")
        assert answer_to_a_command(mosquitto) == 0
    assert answer_to_a_command(mosquitto) == NO_SUBSCRIBER


@pytest.mark.parametrize("user", ["acme:1/device/d1", "acme/device/+", "a\nb", "", " acme/device/d1"])
def test_a_name_that_the_file_cannot_hold_is_refused(tmp_path: Path, user: str) -> None:
    with pytest.raises(StackError, match="cannot hold it"):
        broker_accounts.add(tmp_path, {"good": "x", user: "x"})
    assert not (tmp_path / "mosquitto" / "passwords").exists()


def test_adding_keeps_the_accounts_that_are_there_and_replaces_the_same_user(tmp_path: Path) -> None:
    broker_accounts.add(tmp_path, {"one": "1", "two": "2"})
    before = (tmp_path / "mosquitto" / "passwords").read_text().splitlines()
    broker_accounts.add(tmp_path, {"two": "22"})
    after = (tmp_path / "mosquitto" / "passwords").read_text().splitlines()
    assert after[0] == before[0]
    assert after[1].startswith("two:$7$101$")
    assert after[1] != before[1]
    assert len(after) == 2


@pytest.mark.parametrize("end", "\v\f\x1c\x1d\x1e\x85\u2028\u2029")
def test_an_account_ends_with_its_line_and_with_nothing_else_that_may_end_one(tmp_path: Path, end: str) -> None:
    file = tmp_path / "mosquitto" / "passwords"
    file.parent.mkdir()
    odd = f"acme/device/a{end}admin:hash"
    file.write_bytes(f"{odd}\nadmin:of the admin\n".encode())
    broker_accounts.add(tmp_path, {"one": "1"})
    assert file.read_bytes().decode().split("\n")[:2] == [odd, "admin:of the admin"]


async def test_the_broker_comes_back_after_a_kill_with_its_accounts(mosquitto: Broker) -> None:
    user, password = device(mosquitto, "survivor")
    await mosquitto.kill()
    assert connect_code(mosquitto.port, user, password) is None
    broker_accounts.add(mosquitto.mosquitto.run_dir, {user_name("acme", "while-away"): "x"})
    await mosquitto.start()
    assert connect_code(mosquitto.port, user, password) == 0
    assert connect_code(mosquitto.port, user_name("acme", "while-away"), "x") == 0
