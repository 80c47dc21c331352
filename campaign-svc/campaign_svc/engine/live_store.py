"""Campaigns read from the database for the loops: which are live, and one of them, with its lock or without."""

from collections import defaultdict
from dataclasses import dataclass

from asyncpg import Record

from campaign_svc.engine.live import Firmware, LiveCampaign, Stage, StageStatus
from campaign_svc.engine.policy import AbortPolicy, AbortRule, Limits
from campaign_svc.withdrawal import COLUMNS as WITHDRAWAL
from campaign_svc.withdrawal import withdrawal
from pulse.contracts.status import CampaignStatus
from pulse.runtime.db import Connection, Pool

_LIVE = "SELECT id FROM ota_campaigns WHERE status <> 'CREATED' AND completed_at IS NULL ORDER BY id"
_ANNOUNCED = """
SELECT id, tenant_id, status, epoch FROM ota_campaigns WHERE status <> 'CREATED' AND completed_at IS NULL
UNION ALL
SELECT id, tenant_id, status, epoch FROM ota_campaigns WHERE completed_at > now() - interval '24 hours'
"""
# Sweeps wait until ingest has taken in what came before a moment; without any member they hold (the least is NULL).
CAUGHT_UP = "(SELECT min(caught_up_at) FROM ingest_members)"
# The oldest row answers whether there is one to sweep: one entry of an index, whatever the statistics say.
_LOOK = f"""
SELECT c.*, f.file_url, f.file_size_bytes, f.checksum_sha256, {WITHDRAWAL},
    clock_timestamp() AS now,
    (SELECT r.not_after < {CAUGHT_UP} - make_interval(secs => $2) FROM ota_device_status r
     WHERE r.campaign_id = c.id AND r.phase = 'QUEUED' ORDER BY r.not_after LIMIT 1) AS overdue,
    (SELECT r.dispatched_at < {CAUGHT_UP} - make_interval(secs => c.attempt_timeout_seconds) FROM ota_device_status r
     WHERE r.campaign_id = c.id AND r.phase = 'AT_WORK'
     ORDER BY r.dispatched_at LIMIT 1) AS silent
FROM ota_campaigns c JOIN firmware_versions f ON f.id = c.firmware_version_id
WHERE c.id = $1 AND c.status <> 'CREATED' AND c.completed_at IS NULL
"""
_TAKE = _LOOK + "FOR NO KEY UPDATE OF c SKIP LOCKED"
_STAGES = """
SELECT s.*, (SELECT r.next_attempt_at <= now() FROM ota_device_status r
             WHERE r.campaign_id = s.campaign_id AND r.stage = s.number AND r.phase = 'PENDING'
             ORDER BY r.next_attempt_at LIMIT 1) AS due
FROM ota_campaign_stages s WHERE s.campaign_id = $1 ORDER BY s.number
"""
_COUNTERS = "SELECT stage, counter, n FROM ota_campaign_counters WHERE campaign_id = $1"


@dataclass(frozen=True, slots=True)
class Announced:
    """What the control topic must say of a campaign."""

    campaign_id: int
    tenant_id: str
    status: CampaignStatus
    epoch: int


async def live_ids(pool: Pool) -> list[int]:
    """Campaigns that were started (or aborted) and have rows to finish."""
    return [row["id"] for row in await pool.fetch(_LIVE)]


async def to_announce(pool: Pool) -> list[Announced]:
    """Campaigns that are live, or ended within the last 24 hours."""
    rows = await pool.fetch(_ANNOUNCED)
    return [Announced(r["id"], r["tenant_id"], CampaignStatus(r["status"]), r["epoch"]) for r in rows]


async def look(conn: Connection, campaign_id: int, grace: float) -> LiveCampaign | None:
    """The campaign as it is, without a lock; None when it is not live. `grace` in seconds after `not_after`."""
    return await _read(conn, _LOOK, campaign_id, grace)


async def take(conn: Connection, campaign_id: int, grace: float) -> LiveCampaign | None:
    """The campaign with its row locked until the transaction ends; None also when another transaction has it."""
    return await _read(conn, _TAKE, campaign_id, grace)


async def _read(conn: Connection, query: str, campaign_id: int, grace: float) -> LiveCampaign | None:
    row = await conn.fetchrow(query, campaign_id, grace)
    if row is None:
        return None
    # Read after the lock: nobody else releases, ends or retries rows of this campaign from here on.
    stages = await conn.fetch(_STAGES, campaign_id)
    counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for counter in await conn.fetch(_COUNTERS, campaign_id):
        counts[counter["stage"]][counter["counter"]] = counter["n"]
    return _campaign(row, tuple(stage_of(stage, counts[stage["number"]]) for stage in stages))


def stage_of(row: Record, counts: dict[str, int]) -> Stage:
    """A row of ota_campaign_stages, with whether one of its devices is `due`."""
    return Stage(
        number=row["number"],
        rate=row["rollout_rate"] / 60,
        gate=row["gate"],
        soak_seconds=row["soak_seconds"],
        min_success=row["min_success"],
        approval=row["approval"],
        approved=row["approved_at"] is not None,
        status=StageStatus(row["status"]),
        soak_until=row["soak_until"],
        due=bool(row["due"]),
        counts=counts,
        stuck=row["stuck_since"] is not None,
    )


def _campaign(row: Record, stages: tuple[Stage, ...]) -> LiveCampaign:
    firmware = Firmware(
        row["firmware_version"], row["file_url"], row["file_size_bytes"], row["checksum_sha256"], withdrawal(row)
    )
    abort = AbortPolicy(
        AbortRule(row["abort_rule"]), row["abort_threshold"], row["abort_min_devices"], row["abort_confidence"]
    )
    return LiveCampaign(
        id=row["id"],
        tenant_id=row["tenant_id"],
        status=CampaignStatus(row["status"]),
        epoch=row["epoch"],
        firmware=firmware,
        abort=abort,
        limits=Limits(row["max_in_flight"], row["ramp_start"], row["ramp_factor"]),
        max_attempts=row["max_attempts"],
        attempt_timeout_seconds=row["attempt_timeout_seconds"],
        end_at=row["end_at"],
        retry_before=row["retry_before"],
        current_stage=row["current_stage"],
        stages=stages,
        now=row["now"],
        overdue=bool(row["overdue"]),
        silent=bool(row["silent"]),
        slow=row["slow_since"] is not None,
        taking_in=row["take_in_after"] is not None,
    )
