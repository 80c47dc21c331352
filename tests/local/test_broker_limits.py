"""The limits of the shipped broker, as docs/devices.md names them, and what a device of MQTT 3.1.1 is told."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from local_stack import broker_accounts
from local_stack.errors import StackError
from local_stack.layout import ROOT
from pulse.contracts.mqtt import MAX_REPORT_BYTES, command_topic, report_topic, user_name
from pulse.contracts.names import MAX_LENGTH, is_name
from tests.real_parts import Broker

PAGE = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
V5, V311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
NOT_AUTHORISED, NO_SUBSCRIBER, TOO_LARGE = 135, 16, 149


def limit(what: str) -> int:
    """The first number in a row of the page's table."""
    row = re.search(rf"^\| {re.escape(what)} \|[^|0-9]*([0-9,]+)", PAGE, re.MULTILINE)
    assert row is not None, f"devices.md does not name the limit of {what}"
    return int(row[1].replace(",", ""))


class Client(aiomqtt.Client):
    """Keeps what the broker says in its CONNACK, of the last publish, and when it ends the connection."""

    told: Any = None
    puback = -1
    goodbye = -1

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        self.told = properties
        super()._on_connect(client, userdata, flags, reason, properties)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        self.puback = reason.value
        super()._on_publish(client, userdata, mid, reason, properties)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        self.goodbye = reason.value
        super()._on_disconnect(client, userdata, flags, reason, properties)


@asynccontextmanager
async def device(
    broker: Broker, name: str, version: aiomqtt.ProtocolVersion = V5, client_id: str | None = None, **options: Any
) -> AsyncIterator[Client]:
    """A connected device that has subscribed to its commands."""
    user = user_name("acme", name)
    broker.add_accounts({user: "secret"})
    async with Client(
        broker.host, broker.port, identifier=client_id, username=user, password="secret", protocol=version, **options
    ) as client:
        await client.subscribe(command_topic("acme", name), qos=1)
        yield client


async def command(broker: Broker, name: str, payload: bytes = b"command", expiry: int | None = None) -> int:
    """Sends a command as the dispatcher does; gives the reason code of the PUBACK. `expiry` in seconds."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if expiry is not None:
        properties.MessageExpiryInterval = expiry
    password = broker.password("svc-dispatcher")
    async with Client(
        broker.host, broker.port, username="svc-dispatcher", password=password, protocol=V5
    ) as dispatcher:
        await dispatcher.publish(command_topic("acme", name), payload, qos=1, properties=properties)
        return dispatcher.puback


async def heard(client: aiomqtt.Client, seconds: float = 1.0) -> bytes | None:
    """The next message's payload, or None when there is none in that time."""
    try:
        async with asyncio.timeout(seconds):
            return bytes((await anext(client.messages)).payload)
    except TimeoutError:
        return None


@pytest.mark.parametrize("wildcard", ["+", "#"])
async def test_a_client_id_with_a_wildcard_connects_and_is_neither_heard_nor_told(
    mosquitto: Broker, wildcard: str
) -> None:
    assert f"no `{wildcard}`" in PAGE
    async with device(mosquitto, "wild", client_id=f"wild{wildcard}id") as client:
        assert await command(mosquitto, "wild") == 0, "it looks as if it were there"
        assert await heard(client) is None
        await client.publish(report_topic("acme", "wild"), b"{}", qos=1)
        assert client.puback == NOT_AUTHORISED


@pytest.mark.parametrize("client_id", ["acme/device/other", "x" * 1_000, "\u00e9 \u4e16\u754c:"])
async def test_any_other_client_id_will_do(mosquitto: Broker, client_id: str) -> None:
    async with device(mosquitto, "any", client_id=client_id) as client:
        assert await command(mosquitto, "any") == 0
        assert await heard(client) == b"command"


@pytest.mark.parametrize("name", ["a:b", "a+b", "a#b"])
def test_an_id_that_the_password_file_or_the_rules_cannot_hold_gets_no_account(mosquitto: Broker, name: str) -> None:
    with pytest.raises(StackError, match="cannot hold it"):
        mosquitto.add_accounts({user_name("acme", name): "secret"})


@pytest.mark.parametrize("letter", ["d", "\u00e9", "\u4e16", "\U0001f600"])
async def test_the_longest_ids_work_in_any_script(mosquitto: Broker, letter: str) -> None:
    assert limit("tenant and device id") == MAX_LENGTH
    tenant = device_id = letter * MAX_LENGTH
    assert is_name(device_id)
    assert not is_name(device_id + letter)
    mosquitto.add_accounts({user_name(tenant, device_id): "secret"})
    async with aiomqtt.Client(
        mosquitto.host, mosquitto.port, username=user_name(tenant, device_id), password="secret", protocol=V5
    ) as client:
        await client.subscribe(command_topic(tenant, device_id), qos=1)
        dispatcher = ("svc-dispatcher", mosquitto.password("svc-dispatcher"))
        async with aiomqtt.Client(
            mosquitto.host, mosquitto.port, username=dispatcher[0], password=dispatcher[1], protocol=V5
        ) as services:
            await services.publish(command_topic(tenant, device_id), b"command", qos=1)
        assert await heard(client) == b"command"


@pytest.mark.parametrize(("asked", "told"), [(60, None), (3_600, None), (3_601, 3_600), (0, 3_600)])
async def test_the_broker_names_the_keep_alive_that_it_takes(mosquitto: Broker, asked: int, told: int | None) -> None:
    assert limit("Keep Alive") == 3_600
    async with device(mosquitto, "alive", keepalive=asked) as client:
        assert getattr(client.told, "ServerKeepAlive", None) == told


async def test_the_broker_names_its_packet_size_and_how_many_may_be_on_their_way(mosquitto: Broker) -> None:
    async with device(mosquitto, "told") as client:
        assert client.told.MaximumPacketSize == limit("packet, all of it")
        assert client.told.ReceiveMaximum == limit("at a time without a PUBACK")


@pytest.mark.parametrize("version", [V5, V311])
async def test_a_packet_that_is_too_large_ends_the_connection(
    mosquitto: Broker, version: aiomqtt.ProtocolVersion
) -> None:
    most = limit("packet, all of it")
    async with device(mosquitto, "large", version) as client:
        await client.publish(report_topic("acme", "large"), b"x" * (most - 100), qos=1)
        with pytest.raises(aiomqtt.MqttError):
            await client.publish(report_topic("acme", "large"), b"x" * most, qos=1, timeout=5)
    if version is V5:
        assert client.goodbye == TOO_LARGE


def test_the_page_names_the_size_of_a_report() -> None:
    assert limit("report") == MAX_REPORT_BYTES


async def test_a_device_of_3_1_1_gets_its_commands_and_is_told_that_all_was_delivered(mosquitto: Broker) -> None:
    async with device(mosquitto, "old", V311) as client:
        assert await command(mosquitto, "old") == 0
        assert await heard(client) == b"command"
        for topic in (report_topic("acme", "old"), report_topic("acme", "another")):
            await client.publish(topic, b"{}", qos=1)
            assert client.puback == 0, "nobody was there to hear it, or it was refused"
    assert await command(mosquitto, "old") == NO_SUBSCRIBER, "a clean session leaves nothing behind"


async def test_a_device_of_3_1_1_gets_no_command_that_has_expired_in_its_session(mosquitto: Broker) -> None:
    session: dict[str, Any] = {"client_id": "keeps", "clean_session": False}
    async with device(mosquitto, "keeps", V311, **session):
        pass
    assert await command(mosquitto, "keeps", b"short", expiry=1) == 0
    assert await command(mosquitto, "keeps", b"long", expiry=600) == 0
    await asyncio.sleep(2.5)
    async with device(mosquitto, "keeps", V311, **session) as client:
        assert await heard(client) == b"long"
        assert await heard(client) is None
    async with device(mosquitto, "keeps", V311, client_id="keeps", clean_session=True):
        pass


def test_the_page_says_what_a_password_file_cannot_hold() -> None:
    with pytest.raises(StackError):
        broker_accounts.must_fit(user_name("acme", "a:b"))
    assert "| tenant and device id | no `:` |" in PAGE
