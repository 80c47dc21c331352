"""Old campaigns go, with all that belongs to them, and nothing else does."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from campaign_svc import changes
from campaign_svc.engine import retention, retention_store
from campaign_svc.engine.retention import Retention
from pulse.contracts.status import CampaignStatus
from pulse.runtime.db import OUTAGES, Pool, transaction
from tests.campaign_svc.rows import Fleet, Gate

OLD, YOUNG = datetime.now(UTC) - timedelta(days=91), datetime.now(UTC) - timedelta(days=89)


async def finished(fleet: Fleet, loops: Pool, at: datetime) -> int:
    campaign = await fleet.campaign(12, gates=(Gate(2),))
    await fleet.move(campaign, "SUCCESS")
    async with transaction(loops) as conn:
        await changes.change(
            conn,
            campaign,
            status=CampaignStatus.COMPLETED,
            event="completed",
            by=None,
            reason_code=None,
            detail=None,
        )
    await fleet.set(campaign, completed_at=at)
    return campaign


async def left(fleet: Fleet, campaign: int) -> list[int]:
    tables = ("device_status", "campaign_counters", "campaign_stages", "campaign_timeline")
    return [
        await fleet.pool.fetchval(f"SELECT count(*) FROM ota_{table} WHERE campaign_id = $1", campaign)
        for table in tables
    ]


async def test_an_old_campaign_is_deleted_in_chunks_with_all_that_belongs_to_it(fleet: Fleet, loops: Pool) -> None:
    old, young = await finished(fleet, loops, OLD), await finished(fleet, loops, YOUNG)
    running = await fleet.campaign(3)
    keeper = Retention(loops, 90, 5)
    assert await keeper.delete_chunk()
    assert (await left(fleet, old))[0] == 7
    while await keeper.delete_chunk():
        assert await fleet.miscounted() == []
    assert await left(fleet, old) == [0, 0, 0, 0]
    assert all(await left(fleet, young))
    assert {row["id"] for row in await fleet.pool.fetch("SELECT id FROM ota_campaigns")} == {young, running}


async def test_a_campaign_that_another_replica_deletes_is_left_to_it(fleet: Fleet, loops: Pool) -> None:
    old = await finished(fleet, loops, OLD)
    async with transaction(loops) as other:
        await other.fetch("SELECT FROM ota_campaigns WHERE id = $1 FOR UPDATE", old)
        assert not await Retention(loops, 90, 5).delete_chunk()


async def die_in_a_chunk(fleet: Fleet, loops: Pool, campaign: int) -> None:
    async with transaction(loops) as conn:
        await retention_store.delete_rows(conn, campaign, 5)
        await fleet.pool.execute("SELECT pg_terminate_backend($1)", conn.get_server_pid())
        await conn.execute("SELECT")


async def test_a_process_killed_between_two_chunks_or_in_one_leaves_the_rest_to_the_next(
    fleet: Fleet, loops: Pool
) -> None:
    old = await finished(fleet, loops, OLD)
    assert await Retention(loops, 90, 5).delete_chunk()
    with pytest.raises(OUTAGES):
        await die_in_a_chunk(fleet, loops, old)
    assert (await left(fleet, old))[0] == 7
    assert await fleet.miscounted() == []
    next_process = Retention(loops, 90, 5)
    while await next_process.delete_chunk():
        continue
    assert await left(fleet, old) == [0, 0, 0, 0]


async def test_with_zero_days_campaigns_stay_for_ever_but_old_keys_go(
    fleet: Fleet, loops: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.02)
    old = await finished(fleet, loops, datetime.now(UTC) - timedelta(days=9_999))
    await fleet.pool.execute(
        """INSERT INTO idempotency_keys (tenant_id, key, fingerprint, created_at)
           SELECT 'acme', n::text, 'f', now() - make_interval(hours => CASE WHEN n < 12 THEN 25 ELSE 23 END)
             FROM generate_series(1, 15) n"""
    )
    stop = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(Retention(loops, 0, 5).keep(stop))
        while await fleet.pool.fetchval("SELECT count(*) FROM idempotency_keys") > 4:
            await asyncio.sleep(0.02)
        stop.set()
    assert await fleet.pool.fetchval("SELECT count(*) FROM idempotency_keys") == 4
    assert all(await left(fleet, old))
