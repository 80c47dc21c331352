"""SQL of firmware versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from catalog_svc.file_check import Finding
from catalog_svc.schemas import SHOWN_CHANGES
from pulse.runtime.db import Connection
from pulse.runtime.rest import COUNTED_TO

COLUMNS = f"""id, version, description, file_url, file_size_bytes, checksum_sha256, device_type, status, created_at,
    created_by, withdrawn_at, withdrawn_by, withdrawn_reason, address_checked_at, address_reachable, address_status,
    address_size_bytes, address_warning_code, address_warning,
    (SELECT coalesce(jsonb_agg(to_jsonb(newest)), '[]')
       FROM (SELECT at, by, field, old, new FROM firmware_changes c
              WHERE c.firmware_id = firmware_versions.id ORDER BY c.id DESC LIMIT {SHOWN_CHANGES}) newest) AS changes"""
Changes: TypeAlias = dict[Literal["file_url", "description"], str | None]
"""New values of what can be changed."""
NEVER_ASKED = """address_checked_at = NULL, address_reachable = NULL, address_status = NULL, address_size_bytes = NULL,
    address_warning_code = NULL, address_warning = NULL"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareRow:
    """A row of firmware_versions."""

    id: int
    version: str
    description: str | None
    file_url: str
    file_size_bytes: int
    checksum_sha256: str
    device_type: str | None
    status: Literal["ACTIVE", "WITHDRAWN"]
    created_at: datetime
    created_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_reason: str | None
    address_checked_at: datetime | None
    address_reachable: bool | None
    address_status: int | None
    address_size_bytes: int | None
    address_warning_code: str | None
    address_warning: str | None
    changes: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows a list is about; None: all. `search` is a LIKE pattern."""

    tenant: str
    device_type: str | None
    search: str | None


async def insert(
    conn: Connection,
    tenant: str,
    by: str,
    version: str,
    description: str | None,
    file_url: str,
    size: int,
    checksum: str,
    device_type: str | None,
) -> FirmwareRow | None:
    """None when the tenant has this version for this device type already."""
    row = await conn.fetchrow(
        f"""INSERT INTO firmware_versions
                (tenant_id, version, description, file_url, file_size_bytes, checksum_sha256, device_type, created_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT ON CONSTRAINT firmware_versions_once DO NOTHING RETURNING {COLUMNS}""",
        tenant,
        version,
        description,
        file_url,
        size,
        checksum,
        device_type,
        by,
    )
    return FirmwareRow(**row) if row else None


async def get(conn: Connection, tenant: str, firmware_id: int) -> FirmwareRow | None:
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM firmware_versions WHERE tenant_id = $1 AND id = $2", tenant, firmware_id
    )
    return FirmwareRow(**row) if row else None


async def lock(conn: Connection, tenant: str, firmware_id: int) -> FirmwareRow | None:
    """The version as it is until the transaction ends."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM firmware_versions WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tenant,
        firmware_id,
    )
    return FirmwareRow(**row) if row else None


async def change(conn: Connection, tenant: str, row: FirmwareRow, by: str, changes: Changes) -> None:
    """Gives a version, which is locked and ACTIVE, other values, and notes who did; a new address was never asked."""
    for field, new in changes.items():
        also = f", {NEVER_ASKED}" if field == "file_url" else ""
        await conn.execute(f"UPDATE firmware_versions SET {field} = $2{also} WHERE id = $1", row.id, new)
        await conn.execute(
            """INSERT INTO firmware_changes (tenant_id, firmware_id, by, field, old, new)
               VALUES ($1, $2, $3, $4, $5, $6)""",
            tenant,
            row.id,
            by,
            field,
            getattr(row, field),
            new,
        )


async def note_finding(conn: Connection, tenant: str, asked: FirmwareRow, finding: Finding) -> FirmwareRow | None:
    """The version, with what its address answered; that is not kept if it was withdrawn or moved meanwhile."""
    await conn.execute(
        """UPDATE firmware_versions
              SET address_checked_at = now(), address_reachable = $4, address_status = $5, address_size_bytes = $6,
                  address_warning_code = $7, address_warning = $8
            WHERE tenant_id = $1 AND id = $2 AND file_url = $3 AND status = 'ACTIVE'""",
        tenant,
        asked.id,
        asked.file_url,
        finding.reachable,
        finding.status,
        finding.size_bytes,
        finding.code,
        finding.warning,
    )
    return await get(conn, tenant, asked.id)


_WANTED = """tenant_id = $1 AND ($2::text IS NULL OR device_type = $2)
    AND ($3::text IS NULL OR version ILIKE $3 OR description ILIKE $3)"""


async def page(conn: Connection, wanted: Wanted, before: int | None, limit: int, offset: int) -> list[FirmwareRow]:
    """Newest first, from below id `before`."""
    rows = await conn.fetch(
        f"""SELECT {COLUMNS} FROM firmware_versions WHERE {_WANTED} AND ($4::bigint IS NULL OR id < $4)
            ORDER BY id DESC LIMIT $5 OFFSET $6""",
        wanted.tenant,
        wanted.device_type,
        wanted.search,
        before,
        limit,
        offset,
    )
    return [FirmwareRow(**row) for row in rows]


async def count(conn: Connection, wanted: Wanted) -> int:
    """How many there are; one more than COUNTED_TO stands for more."""
    return int(
        await conn.fetchval(
            f"SELECT count(*) FROM (SELECT FROM firmware_versions WHERE {_WANTED} LIMIT {COUNTED_TO + 1}) counted",
            wanted.tenant,
            wanted.device_type,
            wanted.search,
        )
    )


async def withdraw(conn: Connection, tenant: str, firmware_id: int, by: str, reason: str) -> None:
    """Does nothing to one that is withdrawn already."""
    await conn.execute(
        """UPDATE firmware_versions
              SET status = 'WITHDRAWN', withdrawn_at = now(), withdrawn_by = $3, withdrawn_reason = $4
            WHERE tenant_id = $1 AND id = $2 AND status = 'ACTIVE'""",
        tenant,
        firmware_id,
        by,
        reason,
    )


async def running_campaigns(conn: Connection, tenant: str, firmware_id: int) -> list[int]:
    rows = await conn.fetch(
        """SELECT id FROM ota_campaigns WHERE tenant_id = $1 AND firmware_version_id = $2 AND status = 'RUNNING'
            ORDER BY id""",
        tenant,
        firmware_id,
    )
    return [row["id"] for row in rows]
