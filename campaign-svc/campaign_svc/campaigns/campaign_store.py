"""SQL of campaigns, their stages, counters and timeline."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaign_svc.campaigns.campaign_requests import NewCampaign
from campaign_svc.withdrawal import COLUMNS as WITHDRAWAL
from campaign_svc.withdrawal import Withdrawal, withdrawal
from pulse.contracts.addresses import AddressWarningCode
from pulse.runtime.db import Connection
from pulse.runtime.rest import COUNTED_TO

COLUMNS = """id, name, firmware_version_id, firmware_version, firmware_device_type, target_group_id,
    target_of_campaign_id, target_of_statuses, rollout_strategy, rollout_rate, abort_threshold, abort_rule,
    abort_min_devices, abort_confidence, max_attempts,
    attempt_timeout_seconds, max_in_flight, ramp_start, ramp_factor, end_at, status, epoch, current_stage,
    status_reason_code, status_reason_detail, status_reason_by, status_reason_at, created_at, created_by, started_at,
    completed_at, promised_at, slow_since"""
STAGE = """campaign_id, number, name, share, device_count, rollout_rate, gate, soak_seconds, min_success, approval,
    status, soak_until, approved_by, approved_at, stuck_since"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A row of ota_campaigns."""

    id: int
    name: str
    firmware_version_id: int
    firmware_version: str
    firmware_device_type: str | None
    target_group_id: str | None
    target_of_campaign_id: int | None
    target_of_statuses: list[str] | None
    rollout_strategy: str
    rollout_rate: int
    abort_threshold: float
    abort_rule: str
    abort_min_devices: int
    abort_confidence: float
    max_attempts: int
    attempt_timeout_seconds: int
    max_in_flight: int | None
    ramp_start: int | None
    ramp_factor: float
    end_at: datetime | None
    status: str
    epoch: int
    current_stage: int
    status_reason_code: str | None
    status_reason_detail: str | None
    status_reason_by: str | None
    status_reason_at: datetime | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    completed_at: datetime | None
    promised_at: datetime | None
    slow_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """A row of ota_campaign_stages."""

    campaign_id: int
    number: int
    name: str
    share: float | None
    device_count: int | None
    rollout_rate: int
    gate: bool
    soak_seconds: int
    min_success: float
    approval: bool
    status: str
    soak_until: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    stuck_since: datetime | None


@dataclass(frozen=True, slots=True)
class Address:
    """What the address of a firmware file answered when it was asked last; `code` None: the file is there."""

    checked_at: datetime | None
    code: AddressWarningCode | None
    warning: str | None


@dataclass(frozen=True, slots=True)
class Firmware:
    """What a campaign takes over from its firmware version."""

    id: int
    version: str
    device_type: str | None
    file_size_bytes: int
    withdrawal: Withdrawal | None
    address: Address


Counters = dict[tuple[int, int], dict[str, int]]
"""By campaign and stage: how many devices each counter has."""


async def firmware(conn: Connection, tenant: str, firmware_id: int) -> Firmware | None:
    row = await conn.fetchrow(
        f"""SELECT f.id, f.version, f.device_type, f.file_size_bytes, f.address_checked_at, f.address_warning_code,
                f.address_warning, {WITHDRAWAL}
             FROM firmware_versions f WHERE f.tenant_id = $1 AND f.id = $2""",
        tenant,
        firmware_id,
    )
    if row is None:
        return None
    address = Address(row["address_checked_at"], row["address_warning_code"], row["address_warning"])
    return Firmware(row["id"], row["version"], row["device_type"], row["file_size_bytes"], withdrawal(row), address)


async def withdrawals(conn: Connection, firmware_ids: Collection[int]) -> dict[int, Withdrawal | None]:
    """Of those versions that are withdrawn."""
    rows = await conn.fetch(
        f"""SELECT f.id, {WITHDRAWAL} FROM firmware_versions f
             WHERE f.id = ANY($1::bigint[]) AND f.status = 'WITHDRAWN'""",
        firmware_ids,
    )
    return {row["id"]: withdrawal(row) for row in rows}


async def insert(conn: Connection, tenant: str, by: str, new: NewCampaign, of: Firmware) -> int:
    """The new campaign's id; it has no stages and devices yet."""
    campaign_id: int = await conn.fetchval(
        """INSERT INTO ota_campaigns (tenant_id, name, firmware_version_id, firmware_version, firmware_device_type,
                target_group_id, rollout_strategy, rollout_rate, abort_threshold, abort_rule, abort_min_devices,
                abort_confidence, max_attempts, attempt_timeout_seconds, max_in_flight, ramp_start, ramp_factor, end_at,
                created_by, target_of_campaign_id, target_of_statuses)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
           RETURNING id""",
        tenant,
        new.name,
        of.id,
        of.version,
        of.device_type,
        new.target_group_id,
        new.rollout_strategy,
        new.rollout_rate,
        new.abort_threshold,
        new.abort_rule,
        new.abort_min_devices,
        new.abort_confidence,
        new.max_attempts,
        new.attempt_timeout_seconds,
        new.max_in_flight,
        new.ramp_start,
        new.ramp_factor,
        new.end_at,
        by,
        new.target_of and new.target_of.campaign_id,
        new.target_of and new.target_of.statuses,
    )
    return campaign_id


async def get(conn: Connection, tenant: str, campaign_id: int) -> CampaignRecord | None:
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM ota_campaigns WHERE tenant_id = $1 AND id = $2", tenant, campaign_id
    )
    return CampaignRecord(**row) if row else None


async def lock(conn: Connection, tenant: str, campaign_id: int) -> CampaignRecord | None:
    """The campaign as it is until this transaction ends: nobody else changes or judges it meanwhile."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM ota_campaigns WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE", tenant, campaign_id
    )
    return CampaignRecord(**row) if row else None


ABORTED_LATELY = """status = 'ABORTED' AND status_reason_code IN ('abort_ratio', 'abort_sequential')
    AND status_reason_at > now() - interval '3 days'"""
STOPPED = "status = 'PAUSED' AND status_reason_code IN ('gate_failed', 'firmware_withdrawn', 'restored')"
SLOW = "status = 'RUNNING' AND slow_since IS NOT NULL"
ASKS = """status = 'RUNNING' AND EXISTS (
    SELECT FROM ota_campaign_stages s WHERE s.campaign_id = ota_campaigns.id AND s.number = current_stage
       AND s.status = 'AWAITING_APPROVAL' AND s.approved_at IS NULL)"""
STUCK = """status = 'RUNNING' AND EXISTS (
    SELECT FROM ota_campaign_stages s WHERE s.campaign_id = ota_campaigns.id AND s.number = current_stage
       AND s.status = 'RUNNING' AND s.stuck_since IS NOT NULL AND s.approved_at IS NULL)"""
_WANTED = f"""tenant_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR name ILIKE $3)
    AND ($4::bigint IS NULL OR firmware_version_id = $4)
    AND (NOT $5 OR {ABORTED_LATELY} OR {STOPPED} OR {SLOW} OR {ASKS} OR {STUCK})"""
Filter = tuple[str, str | None, str | None, int | None, bool]
"""Tenant, status, LIKE pattern of the name, firmware version (None: any), and whether only what waits for a person."""


async def page(conn: Connection, wanted: Filter, before: int | None, limit: int, offset: int) -> list[CampaignRecord]:
    """Newest first, from below id `before`."""
    rows = await conn.fetch(
        f"""SELECT {COLUMNS} FROM ota_campaigns WHERE {_WANTED} AND ($6::bigint IS NULL OR id < $6)
            ORDER BY id DESC LIMIT $7 OFFSET $8""",
        *wanted,
        before,
        limit,
        offset,
    )
    return [CampaignRecord(**row) for row in rows]


async def count(conn: Connection, wanted: Filter) -> int:
    """One more than COUNTED_TO stands for more."""
    return int(
        await conn.fetchval(
            f"SELECT count(*) FROM (SELECT FROM ota_campaigns WHERE {_WANTED} LIMIT {COUNTED_TO + 1}) c", *wanted
        )
    )


async def stages(conn: Connection, campaign_ids: Sequence[int]) -> list[StageRecord]:
    rows = await conn.fetch(
        f"SELECT {STAGE} FROM ota_campaign_stages WHERE campaign_id = ANY($1::bigint[]) ORDER BY campaign_id, number",
        campaign_ids,
    )
    return [StageRecord(**row) for row in rows]


async def counters(conn: Connection, campaign_ids: Sequence[int]) -> Counters:
    rows = await conn.fetch(
        "SELECT campaign_id, stage, counter, n FROM ota_campaign_counters WHERE campaign_id = ANY($1::bigint[])",
        campaign_ids,
    )
    found: Counters = {}
    for row in rows:
        found.setdefault((row["campaign_id"], row["stage"]), {})[row["counter"]] = row["n"]
    return found


async def begin_stage(conn: Connection, campaign_id: int) -> None:
    """The current stage runs, if it was waiting."""
    await conn.execute(
        """UPDATE ota_campaign_stages s SET status = 'RUNNING' FROM ota_campaigns c
            WHERE c.id = $1 AND s.campaign_id = c.id AND s.number = c.current_stage AND s.status = 'WAITING'""",
        campaign_id,
    )


async def look_again(conn: Connection, campaign_id: int) -> None:
    """Devices that were skipped when the campaign was made are looked at once more, by the loops."""
    await conn.execute("UPDATE ota_campaigns SET take_in_after = '' WHERE id = $1", campaign_id)


async def set_rate(conn: Connection, campaign_id: int, rate: int) -> None:
    """Devices per minute, for the current stage and all later ones."""
    await conn.execute("UPDATE ota_campaigns SET rollout_rate = $2 WHERE id = $1", campaign_id, rate)
    await conn.execute(
        """UPDATE ota_campaign_stages s SET rollout_rate = $2 FROM ota_campaigns c
            WHERE c.id = $1 AND s.campaign_id = c.id AND s.number >= c.current_stage""",
        campaign_id,
        rate,
    )


async def delete(conn: Connection, campaign_id: int) -> None:
    """The campaign with all that belongs to it."""
    await conn.execute("DELETE FROM ota_device_status WHERE campaign_id = $1", campaign_id, timeout=600)
    await conn.execute("DELETE FROM ota_campaign_counters WHERE campaign_id = $1", campaign_id)
    await conn.execute("DELETE FROM ota_campaigns WHERE id = $1", campaign_id)


async def timeline(conn: Connection, campaign_id: int) -> list[dict[str, Any]]:
    """Oldest first."""
    rows = await conn.fetch(
        """SELECT at, epoch, event, by, reason, detail FROM ota_campaign_timeline WHERE campaign_id = $1
            ORDER BY id LIMIT 1000""",
        campaign_id,
    )
    return [dict(row) for row in rows]
