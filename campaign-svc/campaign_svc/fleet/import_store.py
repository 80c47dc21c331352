"""SQL of an import: lines go to a table of the transaction's own, and from there to devices and a group."""

from collections.abc import Sequence
from dataclasses import dataclass

from pulse.runtime.db import Connection

_TABLE = """
CREATE TEMPORARY TABLE imported_devices
    (line integer, device_id text, device_type text, current_version text, attributes text) ON COMMIT DROP
"""
_UPSERT = """
WITH done AS (
    INSERT INTO devices AS d (tenant_id, device_id, device_type, current_version, attributes)
    SELECT $1, device_id, device_type, current_version, attributes::jsonb FROM imported_devices ORDER BY device_id
    ON CONFLICT (tenant_id, device_id) DO UPDATE
       SET device_type = excluded.device_type,
           current_version = coalesce(excluded.current_version, d.current_version),
           attributes = CASE WHEN $2 THEN excluded.attributes ELSE d.attributes END
    RETURNING xmax = 0 AS created)
SELECT count(*) FILTER (WHERE created) AS created, count(*) FILTER (WHERE NOT created) AS updated FROM done
"""
_DUPLICATES = """
SELECT line, first FROM (
    SELECT line, min(line) OVER (PARTITION BY device_id) AS first FROM imported_devices) l
 WHERE line > first ORDER BY line LIMIT $1
"""
IMPORT_SECONDS = 600.0
Row = tuple[int, str, str, str | None, str]
"""Line, device id, device type, current version, attributes as JSON."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A line whose device is in an earlier line, `first`."""

    line: int
    first: int


async def begin(conn: Connection) -> None:
    """Makes the transaction's table."""
    await conn.execute(_TABLE)


async def take(conn: Connection, rows: Sequence[Row]) -> None:
    """Takes in some more lines."""
    await conn.copy_records_to_table("imported_devices", records=rows)


async def duplicates(conn: Connection, most: int) -> tuple[int, list[Duplicate]]:
    """How many lines are about a device of an earlier line, and the first of them."""
    total: int = await conn.fetchval("SELECT count(*) - count(DISTINCT device_id) FROM imported_devices")
    if total == 0:
        return 0, []
    return total, [Duplicate(row["line"], row["first"]) for row in await conn.fetch(_DUPLICATES, most)]


async def upsert(conn: Connection, tenant: str, *, attributes: bool) -> tuple[int, int]:
    """How many devices were created and how many updated; whether their `attributes` are given, or stay."""
    row = await conn.fetchrow(_UPSERT, tenant, attributes, timeout=IMPORT_SECONDS)
    return (row["created"], row["updated"]) if row else (0, 0)


async def add_to_group(conn: Connection, tenant: str, group_id: str) -> int:
    """How many were not members before."""
    done = await conn.execute(
        """INSERT INTO device_group_members (tenant_id, group_id, device_id)
           SELECT $1, $2, device_id FROM imported_devices ORDER BY device_id ON CONFLICT DO NOTHING""",
        tenant,
        group_id,
        timeout=IMPORT_SECONDS,
    )
    return int(done.split()[-1])
