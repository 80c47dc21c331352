"""Old campaigns go, with all that belongs to them, and nothing else does."""

from datetime import UTC, datetime, timedelta

from campaign_svc import changes
from campaign_svc.retention import Retention
from pulse.contracts.status import CampaignStatus
from pulse.runtime.db import Pool, transaction
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
    retention = Retention(loops, 90, 5)
    assert await retention.delete_chunk()
    assert (await left(fleet, old))[0] == 7
    while await retention.delete_chunk():
        assert await fleet.miscounted() == []
    assert await left(fleet, old) == [0, 0, 0, 0]
    assert all(await left(fleet, young))
    assert {row["id"] for row in await fleet.pool.fetch("SELECT id FROM ota_campaigns")} == {young, running}


async def test_a_campaign_that_another_replica_deletes_is_left_to_it(fleet: Fleet, loops: Pool) -> None:
    old = await finished(fleet, loops, OLD)
    async with transaction(loops) as other:
        await other.fetch("SELECT FROM ota_campaigns WHERE id = $1 FOR UPDATE", old)
        assert not await Retention(loops, 90, 5).delete_chunk()
