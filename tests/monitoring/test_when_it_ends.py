"""What is seen of a campaign goes with it."""

import asyncio

from tests.monitoring.conftest import Watched


async def test_a_campaign_that_has_ended_takes_its_series_with_it(watched: Watched) -> None:
    of_it = f'pulse_campaign_devices{{campaign="{watched.campaign.id}"}}'
    assert len(await watched.prometheus.query(of_it)) == 2 * 8, "eight statuses, by both replicas of campaign-svc"
    await watched.campaign.abort()
    await watched.campaign.until_ended()
    async with asyncio.timeout(10):
        while await watched.prometheus.query(of_it):
            await asyncio.sleep(0.3)
