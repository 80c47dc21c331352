"""Devices that wait, counted by what for: by the migration, by the trigger, and as the API tells it."""

import asyncio

from campaign_svc.campaigns import campaign_store, rows_store
from campaign_svc.campaigns.rows_store import Wanted
from pulse.contracts.status import Status, Wait
from pulse.runtime.db import Pool
from tests.campaign_svc.rows import Fleet
from tests.local.test_migration_files import FIRST as FIRST_APPLIED

EACH = {Wait.OFFLINE: 3, Wait.REFUSED: 2, Wait.RETRY: 1}


async def apply(pool: Pool, name: str) -> None:
    await pool.execute((FIRST_APPLIED / name).read_text(encoding="utf-8"))


async def make_wait(fleet: Fleet, campaign: int) -> None:
    """Of the campaign's PENDING devices some wait for each reason; the others only for their turn."""
    first = 0
    for wait, devices in EACH.items():
        names = [f"d{n}" for n in range(first, first + devices)]
        await fleet.move(campaign, "PENDING", *names, wait=wait)
        first += devices


async def test_devices_that_wait_are_counted_for_what_and_listed(fleet: Fleet) -> None:
    campaign = await fleet.campaign(10)
    await make_wait(fleet, campaign)
    async with fleet.pool.acquire() as conn:
        counted = (await campaign_store.counters(conn, [campaign]))[campaign, 0]
        assert counted == {"PENDING": 10} | {str(wait): devices for wait, devices in EACH.items()}
        for wait, devices in EACH.items():
            of_it = Wanted(campaign, None, None, None, wait)
            rows = await rows_store.page(conn, of_it, None, 10, 0)
            assert ([row.wait for row in rows], await rows_store.count(conn, of_it)) == (
                [wait] * devices,
                (devices, False),
            )
        await fleet.move(campaign, "SKIPPED", wait=None, skip_reason="aborted")
        counted = (await campaign_store.counters(conn, [campaign]))[campaign, 0]
        assert {name: n for name, n in counted.items() if n} == {"SKIPPED": 10}


async def test_a_wait_and_a_state_narrow_the_list_together(fleet: Fleet) -> None:
    campaign = await fleet.campaign(10)
    await make_wait(fleet, campaign)
    async with fleet.pool.acquire() as conn:
        for status, devices in ((Status.PENDING, 3), (Status.SUCCESS, 0)):
            both = Wanted(campaign, status, None, None, Wait.OFFLINE)
            assert len(await rows_store.page(conn, both, None, 10, 0)) == devices
            assert await rows_store.count(conn, both) == (devices, False)


async def test_who_waits_before_the_migration_is_counted_by_it_once(fleet: Fleet) -> None:
    campaign = await fleet.campaign(10)
    await apply(fleet.pool, "0010_faster_counters.sql")
    await make_wait(fleet, campaign)
    assert len(await fleet.miscounted()) == len(EACH), "the trigger of before counts none of them"
    for _ in ("once", "again"):
        await apply(fleet.pool, "0013_waiting.sql")
        assert await fleet.miscounted() == []


async def test_the_migration_counts_right_while_services_write(fleet: Fleet) -> None:
    campaign = await fleet.campaign(60)
    over = asyncio.Event()

    async def write(first: int) -> None:
        """Twenty devices go offline and are heard, in transactions of two statements, as ingest and the tick write."""
        names = [f"d{n}" for n in range(first, first + 20)]
        while not over.is_set():
            for wait in (Wait.OFFLINE, None, Wait.RETRY):
                async with fleet.pool.acquire() as conn, conn.transaction():
                    for some in (names[:10], names[10:]):
                        await conn.execute(
                            "UPDATE ota_device_status SET wait = $2 WHERE campaign_id = $1 AND device_id = ANY($3)",
                            campaign,
                            wait,
                            some,
                        )
                        await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        for first in (0, 20, 40):
            group.create_task(write(first))
        for _ in range(10):
            for version in ("0010_faster_counters.sql", "0013_waiting.sql"):
                await apply(fleet.pool, version)
                await asyncio.sleep(0.02)
        over.set()
    assert await fleet.miscounted() == []
