"""SQL of campaigns that are slow."""

from dataclasses import dataclass
from datetime import datetime

from pulse.runtime.db import Connection

_RUNNING = """
SELECT id, promised_at AS since, promised_rate * 60 AS rate, slow_since IS NOT NULL AS slow
  FROM ota_campaigns WHERE status = 'RUNNING' AND completed_at IS NULL AND promised_at IS NOT NULL ORDER BY id
"""
_MARK = """
UPDATE ota_campaigns SET slow_since = CASE WHEN $2 THEN clock_timestamp() END
 WHERE id = $1 AND status = 'RUNNING' AND (slow_since IS NOT NULL) <> $2
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A running campaign: since when at this rate (devices per minute), and whether it is marked as slow."""

    id: int
    since: datetime
    rate: float
    slow: bool


async def running(conn: Connection) -> list[Running]:
    return [Running(**row) for row in await conn.fetch(_RUNNING)]


async def mark(conn: Connection, campaign_id: int, slow: bool) -> None:
    """From now on it is slow, or no longer."""
    await conn.execute(_MARK, campaign_id, slow)
