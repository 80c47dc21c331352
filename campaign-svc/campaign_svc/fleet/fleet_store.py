"""SQL of devices."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pulse.contracts.status import ACTIVE, Status
from pulse.runtime.db import Connection
from pulse.runtime.rest import COUNTED_TO

DEVICE = "d.device_id, d.device_type, d.current_version, d.attributes, d.last_seen_at, d.created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecord:
    """A row of devices."""

    device_id: str
    device_type: str
    current_version: str | None
    attributes: dict[str, Any]
    last_seen_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Given:
    """A device as a request gives it."""

    device_id: str
    device_type: str
    current_version: str | None
    attributes: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices a list is about; None: all. `search` is a LIKE pattern."""

    tenant: str
    search: str | None = None
    device_type: str | None = None
    group_id: str | None = None


async def insert_device(conn: Connection, tenant: str, given: Given) -> DeviceRecord | None:
    """None when there is one with this id."""
    row = await conn.fetchrow(
        f"""INSERT INTO devices AS d (tenant_id, device_id, device_type, current_version, attributes)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING {DEVICE}""",
        tenant,
        given.device_id,
        given.device_type,
        given.current_version,
        given.attributes or {},
    )
    return DeviceRecord(**row) if row else None


async def upsert_devices(conn: Connection, tenant: str, given: Sequence[Given]) -> tuple[int, int]:
    """How many were created and how many updated. Rows are locked in the order of their keys."""
    ordered = sorted(given, key=lambda device: device.device_id)
    rows = await conn.fetch(
        """INSERT INTO devices AS d (tenant_id, device_id, device_type, current_version, attributes)
           SELECT $1, g.device_id, g.device_type, g.current_version, g.attributes::jsonb
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
                  WITH ORDINALITY AS g (device_id, device_type, current_version, attributes, position)
            ORDER BY g.position
           ON CONFLICT (tenant_id, device_id) DO UPDATE
              SET device_type = excluded.device_type,
                  current_version = coalesce(excluded.current_version, d.current_version),
                  attributes = CASE WHEN $6::jsonb ? d.device_id THEN d.attributes ELSE excluded.attributes END
           RETURNING (xmax = 0) AS created""",
        tenant,
        [device.device_id for device in ordered],
        [device.device_type for device in ordered],
        [device.current_version for device in ordered],
        [json.dumps(device.attributes or {}) for device in ordered],
        {device.device_id: None for device in ordered if device.attributes is None},  # as keys: found by bisection
    )
    created = sum(row["created"] for row in rows)
    return created, len(rows) - created


async def device(conn: Connection, tenant: str, device_id: str) -> DeviceRecord | None:
    row = await conn.fetchrow(
        f"SELECT {DEVICE} FROM devices d WHERE d.tenant_id = $1 AND d.device_id = $2", tenant, device_id
    )
    return DeviceRecord(**row) if row else None


_FROM = """devices d WHERE d.tenant_id = $1 AND ($2::text IS NULL OR d.device_id ILIKE $2)
    AND ($3::text IS NULL OR d.device_type = $3)"""
_FROM_GROUP = """device_group_members m JOIN devices d USING (tenant_id, device_id)
    WHERE m.tenant_id = $1 AND ($2::text IS NULL OR m.device_id ILIKE $2)
    AND ($3::text IS NULL OR d.device_type = $3) AND m.group_id = $4"""


def _source(wanted: Wanted) -> tuple[str, list[str | None]]:
    values = [wanted.tenant, wanted.search, wanted.device_type]
    return (_FROM, values) if wanted.group_id is None else (_FROM_GROUP, [*values, wanted.group_id])


async def devices(conn: Connection, wanted: Wanted, after: str | None, limit: int, offset: int) -> list[DeviceRecord]:
    """By device id, from above `after`."""
    source, values = _source(wanted)
    n = len(values)
    column = "d.device_id" if wanted.group_id is None else "m.device_id"
    rows = await conn.fetch(
        f"""SELECT {DEVICE} FROM {source} AND (${n + 1}::text IS NULL OR {column} > ${n + 1})
            ORDER BY {column} LIMIT ${n + 2} OFFSET ${n + 3}""",
        *values,
        after,
        limit,
        offset,
    )
    return [DeviceRecord(**row) for row in rows]


async def count_devices(conn: Connection, wanted: Wanted) -> tuple[int, bool]:
    """How many there are, and whether counting stopped; from a counter where there is one."""
    if wanted.search is None and wanted.device_type is None:
        if wanted.group_id is None:
            total = await conn.fetchval("SELECT devices FROM device_totals WHERE tenant_id = $1", wanted.tenant)
        else:
            total = await conn.fetchval(
                "SELECT member_count FROM device_groups WHERE tenant_id = $1 AND group_id = $2",
                wanted.tenant,
                wanted.group_id,
            )
        return total or 0, False
    source, values = _source(wanted)
    total = await conn.fetchval(f"SELECT count(*) FROM (SELECT FROM {source} LIMIT {COUNTED_TO + 1}) c", *values)
    return min(total, COUNTED_TO), total > COUNTED_TO


async def lock_device(conn: Connection, tenant: str, device_id: str) -> bool:
    """Whether there is such a device; it stays until the transaction ends."""
    return bool(
        await conn.fetchval(
            "SELECT true FROM devices WHERE tenant_id = $1 AND device_id = $2 FOR UPDATE", tenant, device_id
        )
    )


async def unfinished_campaign(conn: Connection, tenant: str, device_id: str) -> int | None:
    """A campaign in which the device waits or is at work."""
    campaign: int | None = await conn.fetchval(
        """SELECT s.campaign_id FROM ota_campaigns c JOIN ota_device_status s ON s.campaign_id = c.id
            WHERE c.tenant_id = $1 AND c.completed_at IS NULL AND s.device_id = $2 AND s.status = ANY($3::text[])
            LIMIT 1""",
        tenant,
        device_id,
        sorted({Status.PENDING, *ACTIVE}),
    )
    return campaign


async def delete_device(conn: Connection, tenant: str, device_id: str) -> None:
    await conn.execute("DELETE FROM devices WHERE tenant_id = $1 AND device_id = $2", tenant, device_id)


async def unknown_devices(conn: Connection, tenant: str, device_ids: Sequence[str]) -> set[str]:
    """Which of these are no devices. Those that are stay until the transaction ends."""
    rows = await conn.fetch(
        """SELECT device_id FROM devices WHERE tenant_id = $1 AND device_id = ANY($2::text[])
            ORDER BY device_id FOR KEY SHARE""",
        tenant,
        device_ids,
    )
    return set(device_ids) - {row["device_id"] for row in rows}
