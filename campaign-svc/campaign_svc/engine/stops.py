"""Campaigns that have been stopped by themselves, for the metrics: those that live, and those that ended lately."""

from dataclasses import dataclass
from datetime import datetime

from pulse.runtime.db import Pool

MOST = 100
"""Stops with series of their own; of more, the latest."""
# An hour after its last row is finished an aborted campaign is no news any more.
_STOPS = """
SELECT id AS campaign_id, tenant_id, name, status, status_reason_code AS reason, status_reason_at AS at
  FROM ota_campaigns
 WHERE status IN ('PAUSED', 'ABORTED') AND (completed_at IS NULL OR completed_at > now() - interval '1 hour')
   AND status_reason_code IN ('abort_ratio', 'abort_sequential', 'gate_failed', 'firmware_withdrawn', 'restored')
 ORDER BY status_reason_at DESC LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """A campaign that a rule, a gate, withdrawn firmware or a restore paused or aborted, and when."""

    campaign_id: int
    tenant_id: str
    name: str
    status: str
    reason: str
    at: datetime


async def stops(pool: Pool) -> list[Stop]:
    """The latest first; whatever process did it."""
    return [Stop(**row) for row in await pool.fetch(_STOPS, MOST)]
