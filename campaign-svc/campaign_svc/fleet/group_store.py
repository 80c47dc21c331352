"""SQL of groups and their members."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pulse.runtime.db import Connection
from pulse.runtime.rest import COUNTED_TO

GROUP = "group_id, name, description, member_count, created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """A row of device_groups."""

    group_id: str
    name: str
    description: str | None
    member_count: int
    created_at: datetime


async def insert_group(
    conn: Connection, tenant: str, group_id: str, name: str, description: str | None
) -> GroupRecord | None:
    """None when there is one with this id."""
    row = await conn.fetchrow(
        f"""INSERT INTO device_groups (tenant_id, group_id, name, description) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING RETURNING {GROUP}""",
        tenant,
        group_id,
        name,
        description,
    )
    return GroupRecord(**row) if row else None


async def group(conn: Connection, tenant: str, group_id: str) -> GroupRecord | None:
    row = await conn.fetchrow(
        f"SELECT {GROUP} FROM device_groups WHERE tenant_id = $1 AND group_id = $2", tenant, group_id
    )
    return GroupRecord(**row) if row else None


async def lock_group(conn: Connection, tenant: str, group_id: str) -> bool:
    """Whether there is such a group; it stays, and its members too, until the transaction ends."""
    return bool(
        await conn.fetchval(
            "SELECT true FROM device_groups WHERE tenant_id = $1 AND group_id = $2 FOR UPDATE", tenant, group_id
        )
    )


async def groups(conn: Connection, tenant: str, after: str | None, limit: int, offset: int) -> list[GroupRecord]:
    """By group id, from above `after`."""
    rows = await conn.fetch(
        f"""SELECT {GROUP} FROM device_groups WHERE tenant_id = $1 AND ($2::text IS NULL OR group_id > $2)
            ORDER BY group_id LIMIT $3 OFFSET $4""",
        tenant,
        after,
        limit,
        offset,
    )
    return [GroupRecord(**row) for row in rows]


async def count_groups(conn: Connection, tenant: str) -> int:
    """One more than COUNTED_TO stands for more."""
    return int(
        await conn.fetchval(
            f"SELECT count(*) FROM (SELECT FROM device_groups WHERE tenant_id = $1 LIMIT {COUNTED_TO + 1}) c", tenant
        )
    )


async def campaign_of_group(conn: Connection, tenant: str, group_id: str) -> int | None:
    """A campaign that is not finished and aims at the group."""
    campaign: int | None = await conn.fetchval(
        """SELECT id FROM ota_campaigns WHERE tenant_id = $1 AND target_group_id = $2
              AND status IN ('CREATED', 'RUNNING', 'PAUSED') LIMIT 1""",
        tenant,
        group_id,
    )
    return campaign


async def delete_group(conn: Connection, tenant: str, group_id: str) -> None:
    await conn.execute("DELETE FROM device_groups WHERE tenant_id = $1 AND group_id = $2", tenant, group_id)


async def add_members(conn: Connection, tenant: str, group_id: str, device_ids: Sequence[str]) -> int:
    """How many were not members before."""
    done = await conn.execute(
        """INSERT INTO device_group_members (tenant_id, group_id, device_id)
           SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING""",
        tenant,
        group_id,
        device_ids,
    )
    return int(done.split()[-1])


async def remove_members(conn: Connection, tenant: str, group_id: str, device_ids: Sequence[str]) -> int:
    """How many were members."""
    done = await conn.execute(
        "DELETE FROM device_group_members WHERE tenant_id = $1 AND group_id = $2 AND device_id = ANY($3::text[])",
        tenant,
        group_id,
        device_ids,
    )
    return int(done.split()[-1])
