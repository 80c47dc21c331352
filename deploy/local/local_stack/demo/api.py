"""The REST API as the demo uses it, through the gateway."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from local_stack.errors import StackError

Json = dict[str, Any]
CHUNK = 5_000


class Api:
    """A client with a tenant's token. Every call raises StackError, with what the API said."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def register_firmware(self, firmware: Json) -> int:
        return int((await self._call("POST", "/customer/firmware", firmware))["id"])

    async def register_devices(self, devices: list[Json]) -> None:
        for first in range(0, len(devices), CHUNK):
            await self._call("POST", "/customer/devices/bulk", {"devices": devices[first : first + CHUNK]})

    async def make_group(self, group_id: str, name: str, device_ids: list[str]) -> None:
        await self._call("POST", "/customer/device-groups", {"group_id": group_id, "name": name})
        for first in range(0, len(device_ids), CHUNK):
            members = {"device_ids": device_ids[first : first + CHUNK]}
            await self._call("POST", f"/customer/device-groups/{group_id}/members", members)

    async def create_campaign(self, campaign: Json) -> int:
        return int((await self._call("POST", "/customer/ota/campaigns", campaign))["id"])

    async def start(self, campaign_id: int) -> None:
        await self._call("POST", f"/customer/ota/campaigns/{campaign_id}/start", {})

    async def campaign(self, campaign_id: int) -> Json:
        return await self._call("GET", f"/customer/ota/campaigns/{campaign_id}")

    async def failed_devices(self, campaign_id: int) -> list[Json]:
        """The first 200 of them."""
        query = {"status": "FAILED", "limit": "200"}
        page = await self._call("GET", f"/customer/ota/campaigns/{campaign_id}/devices", query=query)
        devices: list[Json] = page["devices"]
        return devices

    async def _call(
        self, method: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None
    ) -> Json:
        try:
            answer = await self._client.request(method, path, json=body, params=query)
        except httpx.HTTPError as error:
            raise StackError(f"{method} {path}: {type(error).__name__}: {error}") from error
        if answer.is_error:
            raise StackError(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        read: Json = answer.json()
        return read


@asynccontextmanager
async def connected(gateway_url: str, token: str) -> AsyncIterator[Api]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=gateway_url, headers=headers, timeout=15, trust_env=False) as client:
        yield Api(client)
