"""SQL that reads devices' rows in campaigns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pulse.contracts.status import Status, Wait
from pulse.runtime.db import Connection
from pulse.runtime.rest import COUNTED_TO

COLUMNS = """s.campaign_id, c.firmware_version AS version, s.device_id, s.stage, s.status, s.attempt, s.failures,
    s.progress_pct, s.error_code, s.error_message, s.skip_reason, s.wait,
    nullif(s.next_attempt_at, '-infinity') AS next_attempt_at,
    s.queued_at, s.dispatched_at, s.started_at, s.last_report_at, s.completed_at, c.created_at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRecord:
    """A row of ota_device_status with what its campaign adds."""

    campaign_id: int
    version: str
    device_id: str
    stage: int
    status: str
    attempt: int
    failures: int
    progress_pct: int
    error_code: str | None
    error_message: str | None
    skip_reason: str | None
    wait: str | None
    next_attempt_at: datetime | None
    queued_at: datetime | None
    dispatched_at: datetime | None
    started_at: datetime | None
    last_report_at: datetime | None
    completed_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttemptRecord:
    """A row of ota_failed_attempts."""

    campaign_id: int
    attempt: int
    failed_at: datetime
    error_code: str
    error_message: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows a list is about; None: all. `search` is a LIKE pattern."""

    campaign_id: int
    status: Status | None
    search: str | None
    error_code: str | None
    wait: Wait | None

    @property
    def counters(self) -> list[str] | None:
        """The counters that add up to these rows; None: no counters do."""
        if self.search is not None or self.error_code is not None or (self.status and self.wait):
            return None
        one = self.status or self.wait
        return [one] if one else list(Status)


async def history(conn: Connection, tenant: str, device_id: str, limit: int = 200) -> list[RowRecord]:
    """A device's rows in all campaigns, newest first."""
    rows = await conn.fetch(
        f"""SELECT {COLUMNS} FROM ota_campaigns c JOIN ota_device_status s ON s.campaign_id = c.id
            WHERE c.tenant_id = $1 AND s.device_id = $2 ORDER BY c.id DESC LIMIT $3""",
        tenant,
        device_id,
        limit,
    )
    return [RowRecord(**row) for row in rows]


async def failed_attempts(
    conn: Connection, device_id: str, campaign_ids: Sequence[int], limit: int = 1000
) -> list[FailedAttemptRecord]:
    """A device's failed attempts in these campaigns, newest first."""
    rows = await conn.fetch(
        """SELECT campaign_id, attempt, failed_at, error_code, error_message FROM ota_failed_attempts
            WHERE campaign_id = ANY($1::bigint[]) AND device_id = $2
            ORDER BY campaign_id DESC, attempt DESC LIMIT $3""",
        campaign_ids,
        device_id,
        limit,
    )
    return [FailedAttemptRecord(**row) for row in rows]


async def one(conn: Connection, campaign_id: int, device_id: str) -> RowRecord | None:
    """A device's row in a campaign."""
    row = await conn.fetchrow(
        f"""SELECT {COLUMNS} FROM ota_device_status s JOIN ota_campaigns c ON c.id = s.campaign_id
            WHERE s.campaign_id = $1 AND s.device_id = $2""",
        campaign_id,
        device_id,
    )
    return RowRecord(**row) if row else None


async def page(conn: Connection, wanted: Wanted, after: str | None, limit: int, offset: int) -> list[RowRecord]:
    """A campaign's rows by device id, from above `after`."""
    rows = await conn.fetch(
        f"""SELECT {COLUMNS} FROM ota_device_status s JOIN ota_campaigns c ON c.id = s.campaign_id
            WHERE s.campaign_id = $1 AND ($2::text IS NULL OR s.status = $2)
              AND ($3::text IS NULL OR s.device_id ILIKE $3) AND ($4::text IS NULL OR s.device_id > $4)
              AND ($7::text IS NULL OR s.error_code = $7) AND ($8::text IS NULL OR s.wait = $8) {_phase(wanted)}
            ORDER BY s.device_id LIMIT $5 OFFSET $6""",
        wanted.campaign_id,
        wanted.status,
        wanted.search,
        after,
        limit,
        offset,
        wanted.error_code,
        wanted.wait,
    )
    return [RowRecord(**row) for row in rows]


def _phase(wanted: Wanted) -> str:
    """The index of failures knows them by their phase, and only by words in the statement itself."""
    return "AND s.phase = 'FAILED'" if wanted.status is Status.FAILED else ""


async def count(conn: Connection, wanted: Wanted) -> tuple[int, bool]:
    """How many there are, and whether counting stopped; from the counters where they tell."""
    if wanted.counters is not None:
        total = await conn.fetchval(
            """SELECT coalesce(sum(n), 0)::bigint FROM ota_campaign_counters
                WHERE campaign_id = $1 AND counter = ANY($2::text[])""",
            wanted.campaign_id,
            wanted.counters,
        )
        return total, False
    total = await conn.fetchval(
        f"""SELECT count(*) FROM (SELECT FROM ota_device_status WHERE campaign_id = $1
              AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR device_id ILIKE $3)
              AND ($4::text IS NULL OR error_code = $4) AND ($5::text IS NULL OR wait = $5)
            LIMIT {COUNTED_TO + 1}) c""",
        wanted.campaign_id,
        wanted.status,
        wanted.search,
        wanted.error_code,
        wanted.wait,
    )
    return min(total, COUNTED_TO), total > COUNTED_TO
