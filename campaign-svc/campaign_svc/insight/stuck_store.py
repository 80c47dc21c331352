"""SQL of gates that cannot open by themselves."""

from dataclasses import dataclass

from campaign_svc.engine.live import Stage
from campaign_svc.engine.live_store import stage_of
from pulse.runtime.db import Connection

# Devices that were held back and are being tried again are QUEUED for a moment, which is no news of the gate.
_RUNNING = """
SELECT s.*, false AS due,
    (SELECT coalesce(jsonb_object_agg(k.counter, k.n), '{}') FROM ota_campaign_counters k
      WHERE k.campaign_id = s.campaign_id AND k.stage = s.number) AS counts,
    (SELECT count(*) FROM ota_device_status r
      WHERE r.campaign_id = s.campaign_id AND r.phase = 'QUEUED' AND r.stage = s.number AND r.offline_tries > 0
    ) AS queued_again
FROM ota_campaigns c JOIN ota_campaign_stages s ON s.campaign_id = c.id AND s.number = c.current_stage
WHERE c.status IN ('RUNNING', 'PAUSED') AND c.completed_at IS NULL
    AND s.gate AND s.status = 'RUNNING' AND s.approved_at IS NULL
"""
_MARK = """
UPDATE ota_campaign_stages SET stuck_since = CASE WHEN $3 THEN clock_timestamp() END
 WHERE campaign_id = $1 AND number = $2 AND status = 'RUNNING' AND (stuck_since IS NOT NULL) <> $3
"""


@dataclass(frozen=True, slots=True)
class RunningGate:
    """The present stage of a campaign; `queued_again`: QUEUED devices of it that had been held back."""

    campaign_id: int
    stage: Stage
    queued_again: int


async def running_gates(conn: Connection) -> list[RunningGate]:
    """Of all campaigns that run or are paused, and whose present stage is not through."""
    rows = await conn.fetch(_RUNNING)
    return [RunningGate(r["campaign_id"], stage_of(r, r["counts"]), r["queued_again"]) for r in rows]


async def mark(conn: Connection, campaign_id: int, number: int, stuck: bool) -> None:
    """From now on the stage's gate is stuck, or no longer."""
    await conn.execute(_MARK, campaign_id, number, stuck)
