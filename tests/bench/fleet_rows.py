"""A tenant with many devices in one group, put into the database at once, and what an operator does with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from local_stack import tokens
from tests.bench.site import Running, Site

DEVICE_TYPE, OLD, NEW = "gw2", "1.0.0", "2.0.0"
GROUP = "all"
_DEVICES = """
INSERT INTO devices (tenant_id, device_id, device_type, current_version)
SELECT $1, 'd' || lpad(n::text, 7, '0'), $3, $4 FROM generate_series(0, $2::int - 1) n
"""
_MEMBERS = """
INSERT INTO device_group_members (tenant_id, group_id, device_id)
SELECT tenant_id, $2, device_id FROM devices WHERE tenant_id = $1
"""
_FIRMWARE = """
INSERT INTO firmware_versions (tenant_id, version, device_type, file_url, file_size_bytes, checksum_sha256, created_by)
VALUES ($1, $2, $3, 'https://files.example.com/firmware/gateway-2.0.0-stable.bin', 4194304, repeat('5e', 32), 'bench')
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Operator:
    """One tenant's operator, over REST."""

    tenant: str
    http: httpx.AsyncClient

    async def create(self, firmware_id: int, **settings: object) -> int:
        """A campaign over the whole group; its id."""
        wanted = {
            "name": "bench",
            "firmware_version_id": firmware_id,
            "target_group_id": GROUP,
            "rollout_rate": 600,
            "abort_threshold": 1,
        }
        made = await self.post("/customer/ota/campaigns", wanted | settings)
        return int(made["id"])

    async def post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        answer = await self.http.post(path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


async def put_devices(sql: asyncpg.Connection, tenant: str, devices: int) -> None:
    """Registers devices named as `device_name` does, all of them members of GROUP."""
    await sql.execute(_DEVICES, tenant, devices, DEVICE_TYPE, OLD, timeout=300)
    await sql.execute("INSERT INTO device_groups (tenant_id, group_id, name) VALUES ($1, $2, 'All')", tenant, GROUP)
    await sql.execute(_MEMBERS, tenant, GROUP, timeout=300)
    await sql.execute("VACUUM ANALYZE devices, device_group_members", timeout=300)


async def put_firmware(sql: asyncpg.Connection, tenant: str, version: str) -> int:
    """Registers firmware for those devices; its id."""
    firmware_id: int = await sql.fetchval(_FIRMWARE, tenant, version, DEVICE_TYPE)
    return firmware_id


@asynccontextmanager
async def operator(site: Site, campaigns: Running, tenant: str) -> AsyncIterator[Operator]:
    """Somebody with every role."""
    headers = {"Authorization": f"Bearer {tokens.make(site.auth_key_file, tenant, 'admin')}"}
    async with httpx.AsyncClient(base_url=campaigns.url, headers=headers, timeout=300, trust_env=False) as http:
        yield Operator(tenant, http)
