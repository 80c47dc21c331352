"""SQL of what a campaign's answer tells besides its row, stages and counters: the moment, its pace, its failures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from campaign_svc.insight.forecast import Slot
from pulse.runtime.db import Connection

REASONS = 20
"""Failures are told by at most so many error codes, the most frequent ones."""
_PACE = """
SELECT campaign_id, at, dispatched FROM ota_campaign_pace
 WHERE campaign_id = ANY($1::bigint[]) AND at > clock_timestamp() - interval '70 seconds' ORDER BY campaign_id, at
"""
_REASONS = f"""
SELECT r.* FROM unnest($1::bigint[]) AS wanted (id) CROSS JOIN LATERAL (
    SELECT campaign_id, error_code, devices FROM ota_campaign_reasons
     WHERE campaign_id = wanted.id AND devices > 0 ORDER BY devices DESC LIMIT {REASONS}) r
 ORDER BY r.campaign_id, r.devices DESC, r.error_code
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """A campaign's pace of the last minute, and devices with failures by their last error code."""

    slots: list[Slot] = field(default_factory=list)
    reasons: list[tuple[str, int]] = field(default_factory=list)


async def moment(conn: Connection) -> datetime:
    """The database's clock, which all replicas share."""
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return now


async def figures(conn: Connection, campaign_ids: Sequence[int]) -> dict[int, Figures]:
    """By campaign, for each of them."""
    found = {number: Figures() for number in campaign_ids}
    for number, at, dispatched in await conn.fetch(_PACE, campaign_ids):
        found[number].slots.append(Slot(at, dispatched))
    for number, error_code, devices in await conn.fetch(_REASONS, campaign_ids):
        found[number].reasons.append((error_code, devices))
    return found
