"""Device rows that the loops move: claimed, swept, ended, retried; each statement a chunk, guarded by the status.

All of them run while the campaign's row is locked. A row that another transaction holds is skipped and comes again
with a later tick: nothing here ever waits for a device's row.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaign_svc.engine.live_store import CAUGHT_UP
from campaign_svc.fitness import unfit
from pulse.runtime.db import Connection

# Newer means started later, whichever was created first; a resume or a retry does not start a campaign again. Asked
# once for a statement, not for each row: as a rule there is none. A campaign that starts after this was read has no
# success yet, since its claims wait for the tenant's lock.
_NEWER_CAMPAIGNS = """ARRAY(
    SELECT later.id FROM ota_campaigns own JOIN ota_campaigns later ON later.tenant_id = own.tenant_id
    AND (later.started_at, later.id) > (own.started_at, own.id) WHERE own.id = $1)"""
# OFFSET 0 keeps these what they are, a look into an index for each row. As joins they would be planned on what
# the statistics know of the past, when a fast campaign has just filled the table with other statuses.
_NEWER_SUCCESS = f"""EXISTS (
    SELECT FROM ota_device_status newer WHERE newer.tenant_id = r.tenant_id AND newer.device_id = r.device_id
    AND newer.campaign_id = ANY ({_NEWER_CAMPAIGNS}) AND newer.phase = 'SUCCESS' OFFSET 0)"""
_BUSY = """EXISTS (
    SELECT FROM ota_device_status busy WHERE busy.tenant_id = r.tenant_id AND busy.device_id = r.device_id
    AND busy.phase IN ('QUEUED', 'AT_WORK') OFFSET 0)"""
# Taken out of a campaign while its request was on its way: until then that may still be published.
_HELD = """EXISTS (
    SELECT FROM ota_device_status held WHERE held.tenant_id = r.tenant_id AND held.device_id = r.device_id
    AND held.skip_reason = 'excluded' AND held.not_after > now() OFFSET 0)"""
# The device of row r as it is registered now, under the campaign's firmware in `moment`.
_UNFIT = f"""coalesce((
    SELECT coalesce({unfit("moment.firmware_device_type", "moment.firmware_version")}, 'fits') FROM devices d
    WHERE d.tenant_id = r.tenant_id AND d.device_id = r.device_id OFFSET 0), 'unknown_device')"""
# Stage by stage, since the index has each stage's rows in the order of claims; the outer LIMIT ends the reading.
_IN_ORDER = """
SELECT due.device_id FROM unnest($2::int[]) AS stage (number) CROSS JOIN LATERAL (
    SELECT r.device_id FROM ota_device_status r
    WHERE r.campaign_id = $1 AND r.stage = stage.number AND r.phase = 'PENDING' AND r.next_attempt_at <= now()
    {further} ORDER BY r.next_attempt_at, r.rank LIMIT $3 {lock}) AS due LIMIT $3
"""
_CLAIMABLE = f"AND NOT {_NEWER_SUCCESS} AND NOT {_BUSY} AND NOT {_HELD}"
# The guard of every statement: rows are chosen by their status and locked in one, then found by their key. A second
# condition on the status would let the planner read a whole partial index and compare each row with each key.
_LOCK = "FOR UPDATE SKIP LOCKED"
# The moment is one for all rows, and later than the tenant's lock: no earlier claim of a device has a later one.
_MOMENT = """moment AS MATERIALIZED (
    SELECT clock_timestamp() AS at, firmware_version, firmware_device_type FROM ota_campaigns WHERE id = $1)"""
_CLAIM = f"""
WITH {_MOMENT}
UPDATE ota_device_status r SET wait = NULL,
    (status, skip_reason, attempt, progress_pct, queued_at, not_after, completed_at) = (
        SELECT CASE WHEN fits THEN 'QUEUED' ELSE 'SKIPPED' END, CASE WHEN NOT fits THEN unfit END,
               CASE WHEN fits THEN r.attempt + 1 ELSE r.attempt END, CASE WHEN fits THEN 0 ELSE r.progress_pct END,
               CASE WHEN fits THEN moment.at ELSE r.queued_at END,
               CASE WHEN fits THEN moment.at + $4 ELSE r.not_after END, CASE WHEN NOT fits THEN moment.at END
          FROM (SELECT unfit, unfit = 'fits' AS fits FROM (SELECT {_UNFIT} AS unfit OFFSET 0) looked OFFSET 0) found)
FROM moment WHERE r.campaign_id = $1 AND r.device_id = ANY (ARRAY({_IN_ORDER.format(further=_CLAIMABLE, lock=_LOCK)}))
RETURNING r.device_id, r.attempt, r.rank, r.queued_at, r.not_after, r.skip_reason
"""
# While the campaign is locked, only a report of success can take a row out of PENDING after it was read.
_SKIP_SUPERSEDED = f"""
UPDATE ota_device_status SET status = 'SKIPPED', skip_reason = 'superseded', wait = NULL,
    completed_at = clock_timestamp()
WHERE campaign_id = $1 AND device_id = ANY (ARRAY(
    SELECT r.device_id FROM ota_device_status r WHERE r.campaign_id = $1 AND r.status <> 'SUCCESS'
    AND r.device_id = ANY (ARRAY({_IN_ORDER.format(further="", lock="")})) AND {_NEWER_SUCCESS} {_LOCK}))
"""
_SKIP_UNFIT = f"""
WITH {_MOMENT}
UPDATE ota_device_status r SET status = 'SKIPPED', skip_reason = {_UNFIT}, wait = NULL, completed_at = moment.at
FROM moment WHERE r.campaign_id = $1 AND r.device_id = ANY (ARRAY(
    SELECT r.device_id FROM ota_device_status r CROSS JOIN moment WHERE r.campaign_id = $1 AND r.status <> 'SUCCESS'
    AND r.device_id = ANY (ARRAY({_IN_ORDER.format(further=_CLAIMABLE, lock="")})) AND {_UNFIT} <> 'fits'
    FOR UPDATE OF r SKIP LOCKED))
RETURNING r.skip_reason
"""
_TAKE_BACK_OVERDUE = f"""
UPDATE ota_device_status SET status = 'PENDING'
WHERE campaign_id = $1 AND device_id = ANY (ARRAY(
    SELECT device_id FROM ota_device_status WHERE campaign_id = $1 AND phase = 'QUEUED'
    AND not_after < {CAUGHT_UP} - make_interval(secs => $3) ORDER BY not_after LIMIT $2 {_LOCK}))
"""
_FAIL_SILENT = f"""
UPDATE ota_device_status SET
    failures = failures + 1,
    status = CASE WHEN failures + 1 < $4 THEN 'PENDING' ELSE 'FAILED' END,
    wait = CASE WHEN failures + 1 < $4 THEN 'retry' END,
    next_attempt_at = CASE WHEN failures + 1 < $4 THEN clock_timestamp() + make_interval(
        secs => least(3600, $5 * power(4, failures)) * (0.8 + 0.4 * random())) ELSE next_attempt_at END,
    completed_at = CASE WHEN failures + 1 < $4 THEN NULL ELSE clock_timestamp() END,
    error_code = CASE status WHEN 'DISPATCHED' THEN 'no_response' ELSE 'timeout' END,
    error_message = CASE status WHEN 'DISPATCHED' THEN 'no report came within the attempt''s time limit'
                    ELSE 'the update did not end within the attempt''s time limit' END
WHERE campaign_id = $1 AND device_id = ANY (ARRAY(
    SELECT device_id FROM ota_device_status
    WHERE campaign_id = $1 AND phase = 'AT_WORK'
    AND dispatched_at < {CAUGHT_UP} - make_interval(secs => $3) ORDER BY dispatched_at LIMIT $2 {_LOCK}))
"""
_END_PENDING = f"""
UPDATE ota_device_status SET
    status = CASE WHEN failures > 0 THEN 'FAILED' ELSE 'SKIPPED' END,
    skip_reason = CASE WHEN failures = 0 THEN $3 END,
    wait = NULL, completed_at = clock_timestamp()
WHERE campaign_id = $1 AND device_id = ANY (ARRAY(
    SELECT device_id FROM ota_device_status WHERE campaign_id = $1 AND phase = 'PENDING'
    ORDER BY stage, next_attempt_at, rank LIMIT $2 {_LOCK}))
"""
AGAIN = """status = 'PENDING', failures = 0, progress_pct = 0, wait = NULL, next_attempt_at = '-infinity',
    completed_at = NULL"""
"""What an operator's retry makes of a FAILED row."""
REGISTERED = """EXISTS (SELECT FROM devices d
    WHERE d.tenant_id = r.tenant_id AND d.device_id = r.device_id OFFSET 0)"""
"""Of a row r: its device is registered. One that is gone is not retried: its row would only be skipped at the claim."""
_RETRY_FAILED = f"""
UPDATE ota_device_status SET {AGAIN}
WHERE campaign_id = $1 AND device_id = ANY (ARRAY(
    SELECT device_id FROM ota_device_status r WHERE campaign_id = $1 AND phase = 'FAILED' AND completed_at <= $3
    AND {REGISTERED} ORDER BY device_id LIMIT $2 {_LOCK}))
"""
_RETRY_DONE = f"""
UPDATE ota_campaigns SET retry_before = NULL WHERE id = $1 AND NOT EXISTS (
    SELECT FROM ota_device_status r WHERE campaign_id = $1 AND phase = 'FAILED' AND completed_at <= $2
    AND {REGISTERED})
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is QUEUED now; `issued_at` is the moment of the claim."""

    device_id: str
    attempt: int
    rank: int
    issued_at: datetime
    not_after: datetime


async def lock_claims(conn: Connection, tenant_id: str) -> None:
    """Waits until no other transaction claims devices of this tenant. Comes first in a claim's transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(1, hashtext($1))", tenant_id)


async def claim(
    conn: Connection, campaign_id: int, stages: Sequence[int], most: int, hold: timedelta
) -> tuple[list[Claimed], Counter[str]]:
    """The next `most` devices that are due and have no other active update become QUEUED, their attempt counted up.

    Those of them that no longer fit the firmware, or are not registered any more, become SKIPPED instead: how many, by
    reason. `hold`: how long after the claim its request may be published.
    """
    rows = await conn.fetch(_CLAIM, campaign_id, stages, most, hold)
    claimed = [
        Claimed(r["device_id"], r["attempt"], r["rank"], r["queued_at"], r["not_after"])
        for r in rows
        if r["skip_reason"] is None
    ]
    return claimed, Counter(r["skip_reason"] for r in rows if r["skip_reason"] is not None)


async def skip_unfit(conn: Connection, campaign_id: int, stages: Sequence[int], first: int) -> Counter[str]:
    """Of the `first` devices that are due next, those that a claim would skip become SKIPPED; how many, by reason."""
    return Counter(r["skip_reason"] for r in await conn.fetch(_SKIP_UNFIT, campaign_id, stages, first))


async def skip_superseded(conn: Connection, campaign_id: int, stages: Sequence[int], first: int) -> int:
    """Of the `first` devices that are due next, those that a campaign started later has updated become SKIPPED."""
    return _count(await conn.execute(_SKIP_SUPERSEDED, campaign_id, stages, first))


async def take_back_overdue(conn: Connection, campaign_id: int, most: int, grace: float) -> int:
    """QUEUED rows whose request can no longer be published become PENDING again. `grace` in seconds."""
    return _count(await conn.execute(_TAKE_BACK_OVERDUE, campaign_id, most, grace))


async def fail_silent(
    conn: Connection, campaign_id: int, most: int, *, timeout: float, max_attempts: int, backoff: float
) -> int:
    """Devices at work past the attempt's time limit have failed: another attempt after the backoff, or FAILED.

    Times in seconds; the backoff grows fourfold with each failure, up to an hour, give or take a fifth.
    """
    return _count(await conn.execute(_FAIL_SILENT, campaign_id, most, timeout, max_attempts, backoff))


async def end_pending(conn: Connection, campaign_id: int, most: int, skip_reason: str) -> int:
    """What waits is over: SKIPPED for `skip_reason`, or FAILED where an attempt has failed."""
    return _count(await conn.execute(_END_PENDING, campaign_id, most, skip_reason))


async def retry_failed(conn: Connection, campaign_id: int, most: int, before: datetime) -> int:
    """Rows that FAILED up to `before` become PENDING with no failures counted; no row left: the retry is done.

    Rows of devices that are not registered any more stay as they are.
    """
    retried = _count(await conn.execute(_RETRY_FAILED, campaign_id, most, before))
    if retried < most:
        await conn.execute(_RETRY_DONE, campaign_id, before)
    return retried


async def drop_retry(conn: Connection, campaign_id: int) -> None:
    """What has not been retried yet stays FAILED."""
    await conn.execute("UPDATE ota_campaigns SET retry_before = NULL WHERE id = $1", campaign_id)


async def skip_reasons(conn: Connection, campaign_id: int) -> dict[str, int]:
    """How many devices were skipped, by why. Reads all rows of the campaign: for its end, not for each tick."""
    rows = await conn.fetch(
        """SELECT skip_reason, count(*) AS devices FROM ota_device_status
            WHERE campaign_id = $1 AND status = 'SKIPPED' GROUP BY 1""",
        campaign_id,
        timeout=60,
    )
    return {row["skip_reason"]: row["devices"] for row in rows}


def _count(tag: str) -> int:
    """The number of rows in a command tag such as `UPDATE 7`."""
    return int(tag.rpartition(" ")[2])
