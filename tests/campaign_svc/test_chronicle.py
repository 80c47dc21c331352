"""The loop that keeps histories and counts, as any replica runs it."""

import asyncio
from itertools import pairwise

from campaign_svc.insight import chronicle
from pulse.runtime.db import Pool
from tests.campaign_svc.rows import TENANT, Fleet


async def points(fleet: Fleet, campaign: int) -> int:
    found: int = await fleet.pool.fetchval("SELECT count(*) FROM ota_campaign_history WHERE campaign_id = $1", campaign)
    return found


async def until_more_than(fleet: Fleet, campaign: int, least: int) -> None:
    async with asyncio.timeout(10):
        while await points(fleet, campaign) <= least:
            await asyncio.sleep(0.05)


async def test_two_replicas_write_one_history_and_go_on_when_their_connections_are_lost(
    fleet: Fleet, loops: Pool
) -> None:
    campaign = await fleet.campaign(3)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(chronicle.keep(loops, stop))
        await until_more_than(fleet, campaign, 1)
        await fleet.pool.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND usename = 'campaign_loops'"""
        )
        await until_more_than(fleet, campaign, await points(fleet, campaign))
        stop.set()
    numbers = await fleet.pool.fetch("SELECT number, at FROM ota_campaign_history ORDER BY number")
    assert [row["number"] for row in numbers] == list(range(len(numbers)))
    gaps = [(later["at"] - row["at"]).total_seconds() for row, later in pairwise(numbers)]
    assert min(gaps) >= 0.7, "a point a second, not one for each replica"


async def test_counts_are_folded_within_ten_seconds(fleet: Fleet, loops: Pool) -> None:
    for n in range(5):
        await fleet.pool.execute(
            "INSERT INTO devices (tenant_id, device_id, device_type) VALUES ($1, 'fold' || $2::int, 'gw2')", TENANT, n
        )
    stop = asyncio.Event()
    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        group.create_task(chronicle.keep(loops, stop))
        while await fleet.pool.fetchval("SELECT count(*) FROM device_version_counts") > 1:
            await asyncio.sleep(0.1)
        stop.set()
    assert await fleet.pool.fetchval("SELECT devices FROM device_version_counts") == 5
