"""Running campaigns that could send and do not keep up are marked as slow, and those that do are not."""

import structlog

from campaign_svc.engine.live import LiveCampaign
from campaign_svc.engine.live_store import look
from campaign_svc.insight import figures_store
from campaign_svc.insight import slowness_store as store
from campaign_svc.insight.forecast import actual_rate, is_slow
from campaign_svc.insight.slowness_store import Running
from pulse.runtime.db import Connection, Pool

log = structlog.get_logger()


async def note(pool: Pool) -> None:
    """Looks at every running campaign once; writes only where that changes."""
    async with pool.acquire(timeout=10) as conn:
        running = await store.running(conn)
        now = await figures_store.moment(conn)
        figures = await figures_store.figures(conn, [one.id for one in running])
        for one in running:
            actual = actual_rate(figures[one.id].slots, one.since, now)
            behind = is_slow(one.rate, actual, now - one.since)
            slow = behind and await _could_send(conn, one)
            if slow != one.slow:
                await store.mark(conn, one.id, slow)
                log.info("campaign_slow" if slow else "campaign_keeps_up", campaign_id=one.id, rate=one.rate)


async def _could_send(conn: Connection, one: Running) -> bool:
    campaign = await look(conn, one.id, 0)
    return campaign is not None and could_send(campaign)


def could_send(campaign: LiveCampaign) -> bool:
    """Devices are due, and no limit of devices in flight holds them."""
    seen = campaign.outcomes
    limit = campaign.limits.in_flight(seen.succeeded, seen.failing)
    room = limit is None or campaign.active < limit
    return room and not campaign.past_end and any(stage.due for stage in campaign.open_stages)
