"""SQL of campaigns' histories: which have a point due, writing and thinning them, reading one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pulse.contracts.status import Status
from pulse.runtime.db import Connection, Pool

_STATES = ", ".join(f"'{status}'" for status in Status)
_NEWEST = """
SELECT c.id, h.number, extract(epoch FROM clock_timestamp() - h.at)::float8 AS age
  FROM ota_campaigns c LEFT JOIN LATERAL (
      SELECT number, at FROM ota_campaign_history WHERE campaign_id = c.id ORDER BY number DESC LIMIT 1) h ON true
 WHERE c.status <> 'CREATED' AND c.completed_at IS NULL ORDER BY c.id
"""
_POINT = f"""
    campaign_promise(c, p.at) AS promised,
    (SELECT coalesce(jsonb_object_agg(counter, n), '{{}}') FROM (
        SELECT counter, sum(n) AS n FROM ota_campaign_counters
         WHERE campaign_id = c.id AND counter IN ({_STATES})
         GROUP BY 1 HAVING sum(n) > 0) k) AS counts,
    coalesce((SELECT attempts FROM ota_campaign_failures WHERE campaign_id = c.id), 0) AS failed_attempts
"""
# Two replicas that write the same point: the first one's stays.
_RECORD = f"""
INSERT INTO ota_campaign_history (campaign_id, number, tenant_id, at, promised, counts, failed_attempts)
SELECT c.id, due.number, c.tenant_id, p.at, {_POINT}
  FROM unnest($1::bigint[], $2::bigint[]) AS due (id, number)
  JOIN ota_campaigns c ON c.id = due.id CROSS JOIN (SELECT clock_timestamp() AS at) p
    ON CONFLICT DO NOTHING
"""
_THIN = """
DELETE FROM ota_campaign_history h USING unnest($1::bigint[], $2::bigint[]) AS thin (id, step)
 WHERE h.campaign_id = thin.id AND h.number % thin.step <> 0
"""
_READ = """
SELECT number, at, promised, counts, failed_attempts FROM ota_campaign_history WHERE campaign_id = $1 ORDER BY number
"""
_PRESENT = f"""
SELECT p.at, {_POINT} FROM ota_campaigns c
 CROSS JOIN LATERAL (SELECT coalesce(c.completed_at, clock_timestamp()) AS at) p WHERE c.id = $1
"""


@dataclass(frozen=True, slots=True)
class Newest:
    """A live campaign's newest point: its number and age in seconds; None: it has none yet."""

    campaign_id: int
    number: int | None
    age: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """How a campaign stood at a moment; `counts` only has statuses that devices are in."""

    at: datetime
    promised: float
    counts: dict[str, int]
    failed_attempts: int
    number: int | None = None


async def newest(pool: Pool) -> list[Newest]:
    """Of each live campaign."""
    return [Newest(row["id"], row["number"], row["age"]) for row in await pool.fetch(_NEWEST)]


async def record(pool: Pool, points: Sequence[tuple[int, int]]) -> None:
    """Writes points (campaign, number) as of now, as far as no other replica has."""
    await pool.execute(_RECORD, *_columns(points))


async def thin(pool: Pool, steps: Sequence[tuple[int, int]]) -> None:
    """Of each campaign (with its resolution) only points whose number is a multiple of it stay."""
    await pool.execute(_THIN, *_columns(steps))


async def points(conn: Connection, campaign_id: int) -> list[Point]:
    """What was recorded, oldest first."""
    return [Point(**row) for row in await conn.fetch(_READ, campaign_id)]


async def present(conn: Connection, campaign_id: int) -> Point:
    """The campaign as it stands now; one that has ended, as it ended."""
    row: Any = await conn.fetchrow(_PRESENT, campaign_id)
    return Point(**row)


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
