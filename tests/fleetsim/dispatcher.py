"""A test plays the dispatcher at the wire."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiomqtt

from fleetsim.wire import command_topic
from tests import real_parts

Json = dict[str, object]


class Dispatcher:
    """The services' side of the wire: commands out, reports in."""

    body = b"firmware " * 20_000

    def __init__(self, client: aiomqtt.Client, url: str) -> None:
        self._client = client
        self._url = url

    async def command(
        self,
        device: str,
        campaign_id: int = 7,
        attempt: int = 1,
        version: str = "2.0.0",
        checksum: str = "",
        *,
        slow: bool = False,
        ahead: timedelta = timedelta(),
        url: str = "",
    ) -> bytes:
        """Sends a command and returns it, byte for byte; the file of a slow one takes half a second.

        It is of now, or of another time by a clock that is so far `ahead`. `url` is another server than ours.
        """
        now = datetime.now(UTC) + ahead
        expires_at = now + timedelta(minutes=1)
        fields = {"type": "ota_update", "campaign_id": campaign_id, "attempt": attempt, "version": version}
        fields |= {"firmware_url": f"{url or self._url}/{'slow' if slow else 'fw'}.bin", "size": len(self.body)}
        fields |= {"checksum": checksum or hashlib.sha256(self.body).hexdigest()}
        fields |= {"issued_at": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "expires_at": expires_at.isoformat()}
        payload = json.dumps(fields).encode()
        await self.send(device, payload)
        return payload

    async def send(self, device: str, payload: bytes) -> None:
        await self._client.publish(command_topic("acme", device), payload, qos=1)

    async def hear(self) -> Json:
        """The next report of any device, with the topic's device id added."""
        async with asyncio.timeout(10):
            message = await anext(self._client.messages)
        return {"device": str(message.topic).split("/")[3], **json.loads(bytes(message.payload))}

    async def hear_until(self, status: str) -> list[Json]:
        heard = [await self.hear()]
        while heard[-1].get("status") != status:
            heard.append(await self.hear())
        return heard


@asynccontextmanager
async def administrator(mosquitto: real_parts.Broker) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client(
        mosquitto.host,
        mosquitto.port,
        username=mosquitto.admin_user,
        password=mosquitto.admin_password,
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        yield client
