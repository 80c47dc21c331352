"""One device's MQTT 5 connection on aiomqtt: its commands come in, its reports go out with the PUBACK's reason code."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Any

import aiomqtt
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fleetsim.wire import command_topic, report_topic

_log = logging.getLogger("fleetsim.mqtt")
_log.setLevel(logging.ERROR)


class LinkLostError(Exception):
    """There is no connection to the broker: not made, refused, cut, or without an answer in time."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is; `timeout` in seconds for every answer of it, `keepalive` in seconds.

    With `tls` the connections are encrypted, and the broker's certificate is checked against that context.
    """

    host: str
    port: int
    keepalive: int = 60
    timeout: float = 10.0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A device and how it logs in: its user name is `{tenant_id}/device/{device_id}`."""

    tenant_id: str
    device_id: str
    password: str
    device_type: str = ""
    version: str = ""

    @property
    def user(self) -> str:
        return f"{self.tenant_id}/device/{self.device_id}"


class _Client(aiomqtt.Client):
    """aiomqtt 2.5 throws the reason code of a PUBACK away; this keeps the last one.

    That is enough because a device publishes one report at a time and gives the connection up when one is not
    answered.
    """

    last_reason = 0

    def _on_publish(
        self, client: PahoClient, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        self.last_reason = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def abandon(self) -> None:
        """Close the socket of a connect that nobody waits for any more."""
        self._client.disconnect()


class Session:
    """A connection whose subscription the broker has confirmed. All methods raise LinkLostError when it is gone."""

    def __init__(self, client: _Client, account: Account, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._topic = report_topic(account.tenant_id, account.device_id)
        self._one_at_a_time = asyncio.Lock()

    async def publish(self, payload: bytes, topic: str | None = None) -> int:
        """Publish with QoS 1 on the device's report topic (or another) and return the PUBACK's reason code."""
        async with self._one_at_a_time, _answered(self._timeout):
            await self._client.publish(topic or self._topic, payload, qos=1)
            return self._client.last_reason

    async def commands(self) -> AsyncIterator[bytes]:
        """What arrives on the command topic, until the connection is lost."""
        try:
            async for message in self._client.messages:
                yield bytes(message.payload)
        except aiomqtt.MqttError as error:
            raise LinkLostError(str(error)) from error


@asynccontextmanager
async def connect(broker: Broker, account: Account) -> AsyncIterator[Session]:
    """Connect with a clean start and Session Expiry 0, subscribe with QoS 1. Raises LinkLostError."""
    client = _client(broker, account)
    async with _answered(broker.timeout):
        await _enter(client)
    try:
        async with _answered(broker.timeout):
            topic = command_topic(account.tenant_id, account.device_id)
            granted = await client.subscribe(topic, qos=1)
        if any(isinstance(code, ReasonCode) and code.is_failure for code in granted):
            raise LinkLostError(f"the broker refuses the subscription to {topic}")
        yield Session(client, account, broker.timeout)
    finally:
        with suppress(LinkLostError):
            async with _answered(broker.timeout):
                await client.__aexit__(None, None, None)


def _client(broker: Broker, account: Account) -> _Client:
    return _Client(
        broker.host,
        broker.port,
        protocol=aiomqtt.ProtocolVersion.V5,
        username=account.user,
        password=account.password,
        identifier=account.user,
        clean_start=True,
        keepalive=broker.keepalive,
        tls_context=broker.tls,
        timeout=inf,
        logger=_log,
    )


@asynccontextmanager
async def _answered(timeout: float) -> AsyncIterator[None]:
    """All trouble with the broker is a LinkLostError, an answer that does not come in time too.

    The limit is not left to aiomqtt: its asyncio.wait_for loses a cancellation that meets an answer (Python 3.11).
    """
    try:
        async with asyncio.timeout(timeout):
            yield
    except aiomqtt.MqttError as error:
        raise LinkLostError(str(error)) from error
    except TimeoutError:
        raise LinkLostError(f"no answer of the broker within {timeout:g} s") from None


async def _enter(client: _Client) -> None:
    try:
        await client.__aenter__()
    except BaseException:
        client.abandon()
        raise
