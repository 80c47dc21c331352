"""The REST API as the demo and the live view use it, through a gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from local_stack.errors import StackError
from pulse.contracts.names import in_address

Json = dict[str, Any]
CHUNK = 5_000


class Unreachable(StackError):
    """Nobody has answered, or only that it is not possible now: the same call may succeed later."""


class NotThere(StackError):
    """There is no such thing, or it is another tenant's."""


class Api:
    """A client with a tenant's token. Every call raises StackError, with what the API said, or Unreachable."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._server_time: datetime | None = None

    @property
    def now(self) -> datetime:
        """The server's clock as of its last answer, in whole seconds; this machine's when it did not say."""
        return self._server_time or datetime.now(UTC)

    async def register_firmware(self, firmware: Json) -> int:
        return int((await self._call("POST", "/customer/firmware", firmware))["id"])

    async def register_devices(self, devices: list[Json]) -> None:
        for first in range(0, len(devices), CHUNK):
            await self._call("POST", "/customer/devices/bulk", {"devices": devices[first : first + CHUNK]})

    async def make_group(self, group_id: str, name: str, device_ids: list[str]) -> None:
        await self._call("POST", "/customer/device-groups", {"group_id": group_id, "name": name})
        for first in range(0, len(device_ids), CHUNK):
            members = {"device_ids": device_ids[first : first + CHUNK]}
            await self._call("POST", f"/customer/device-groups/{in_address(group_id)}/members", members)

    async def create_campaign(self, campaign: Json) -> int:
        return int((await self._call("POST", "/customer/ota/campaigns", campaign))["id"])

    async def start(self, campaign_id: int) -> None:
        await self._call("POST", f"/customer/ota/campaigns/{campaign_id}/start", {})

    async def campaign(self, campaign_id: int) -> Json:
        return await self._call("GET", f"/customer/ota/campaigns/{campaign_id}")

    async def timeline(self, campaign_id: int) -> list[Json]:
        """All that happened to the campaign, oldest first."""
        entries: list[Json] = (await self._call("GET", f"/customer/ota/campaigns/{campaign_id}/timeline"))["entries"]
        return entries

    async def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__}: {error}".rstrip(": ")) from error
        if answer.is_error:
            passing = answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
            absent = answer.status_code == httpx.codes.NOT_FOUND
            kind = Unreachable if passing else NotThere if absent else StackError
            raise kind(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        self._server_time = _date(answer)
        return _read(answer, f"{method} {path}")


def _read(answer: httpx.Response, call: str) -> Json:
    try:
        read = answer.json()
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise StackError(f"{call} was not answered with a JSON object; is this the API's address?")
    return read


def _date(answer: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None


@asynccontextmanager
async def connected(
    gateway_url: str, token: str, *, timeout: float = 15.0, proxies: bool = False
) -> AsyncIterator[Api]:
    """`timeout` in seconds for each call; `proxies`: use those that the environment names. Raises StackError."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        client = httpx.AsyncClient(base_url=gateway_url, headers=headers, timeout=timeout, trust_env=proxies)
    except (httpx.InvalidURL, ValueError) as error:
        raise StackError(f"{gateway_url}: {error}") from error
    async with client:
        yield Api(client)
