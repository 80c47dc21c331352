"""A campaign's history: at most 600 points from its start to now, and what happened to it meanwhile."""

from dataclasses import dataclass
from typing import Any

from campaign_svc.campaigns import campaign_store
from campaign_svc.insight import history_store
from campaign_svc.insight.history_store import Newest, Point
from campaign_svc.insight.resolution import following, resolution
from campaign_svc.refusals import CampaignNotFound
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction

EARLY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class History:
    """The points, `resolution` seconds apart (the last one is now), and the timeline's entries."""

    resolution: int
    points: list[Point]
    entries: list[dict[str, Any]]


async def read(pool: Pool, who: Principal, campaign_id: int) -> History:
    """Raises CampaignNotFound."""
    async with transaction(pool, who.tenant) as conn:
        if await campaign_store.get(conn, who.tenant, campaign_id) is None:
            raise CampaignNotFound(f"there is no campaign {campaign_id}")
        recorded = await history_store.points(conn, campaign_id)
        present = await history_store.present(conn, campaign_id)
        entries = await campaign_store.timeline(conn, campaign_id)
    step = resolution(recorded[-1].number or 0) if recorded else 1
    kept = [point for point in recorded if (point.number or 0) % step == 0 and point.at < present.at]
    return History(step, [*kept, present], entries)


async def record_due(pool: Pool) -> None:
    """Writes a point of each live campaign whose newest one is older than its resolution. Any replica may, or all."""
    due = [(one.campaign_id, following(one.number)) for one in await history_store.newest(pool) if _is_due(one)]
    if not due:
        return
    await history_store.record(pool, due)
    coarser = [(number, resolution(last)) for number, last in due if resolution(last) > 1]
    if coarser:
        await history_store.thin(pool, coarser)


def _is_due(newest: Newest) -> bool:
    """A little early is in time: looks are a second apart, and a bit."""
    if newest.number is None or newest.age is None:
        return True
    return newest.age + EARLY_SECONDS >= following(newest.number) - newest.number
