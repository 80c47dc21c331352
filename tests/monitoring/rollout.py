"""A small canary campaign that leaves something in every series: it succeeds, fails, waits and refuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.e2e import arrange
from tests.e2e.arrange import Site, quick
from tests.e2e.campaign import Campaign
from tests.e2e.stack import Stack
from tests.monitoring.prometheus import SCRAPE_SECONDS

DEVICES = 40
RATE = 600
"""Devices per minute: the campaign is still under way while the queries are asked."""
SCRAPES = 3
"""Of the state in which it is asked: a rate needs two."""


@asynccontextmanager
async def under_way(stack: Stack) -> AsyncIterator[tuple[Site, Campaign]]:
    """A campaign whose gate waits for approval, with failures on the way. It is aborted at the end, if not before."""
    async with arrange.opened(stack) as site, site.fleet(DEVICES, quick(fail=0.1)):
        stages = [{"name": "canary", "count": DEVICES // 2, "soak_seconds": 0, "min_success": 0.5, "approval": True}]
        campaign = await site.started(
            rate=RATE, rollout_strategy="canary", stages=stages, abort_threshold=0.5, abort_rule="sequential"
        )
        await campaign.until(lambda c: bool(c["stages"][0]["status"] == "AWAITING_APPROVAL"))
        await asyncio.sleep(SCRAPES * SCRAPE_SECONDS)
        yield site, campaign
        if campaign.asked[-1].what != "abort":
            await campaign.abort()
        await campaign.until_ended()
