"""A campaign's history: what it promised and how it stood, kept within 600 points by any number of replicas."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from campaign_svc import changes
from campaign_svc.campaigns import campaign_store
from campaign_svc.insight import history, history_store
from campaign_svc.refusals import CampaignNotFound
from pulse.contracts.status import CampaignStatus
from pulse.runtime import db
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from tests.campaign_svc.rows import TENANT, Fleet, Gate
from tests.real_parts import Database

WHO = Principal("viewer@acme", TENANT, frozenset({"viewer"}))
S = CampaignStatus


@pytest.fixture(scope="module")
async def api(postgres: Database) -> AsyncIterator[Pool]:
    async with db.pool(postgres.dsn_of("campaign_svc"), size=4) as pool:
        yield pool


async def change(loops: Pool, campaign: int, status: CampaignStatus, event: str = "changed") -> None:
    async with transaction(loops) as conn:
        await changes.change(
            conn, campaign, status=status, event=event, by=None, reason_code=None, detail="said", evidence={"stage": 0}
        )


async def started(
    fleet: Fleet, loops: Pool, devices: int, *, rollout_rate: int = 600, gates: tuple[Gate, ...] = ()
) -> int:
    campaign = await fleet.campaign(devices, status="CREATED", rollout_rate=rollout_rate, gates=gates)
    await change(loops, campaign, S.RUNNING, "started")
    return campaign


async def pass_by(fleet: Fleet, campaign: int, seconds: float) -> None:
    """So much time goes by: what is dated by the clock is so much older."""
    by = timedelta(seconds=seconds)
    await fleet.pool.execute(
        """UPDATE ota_campaigns SET promised_at = promised_at - $2::interval, started_at = started_at - $2::interval
           WHERE id = $1""",
        campaign,
        by,
    )
    await fleet.pool.execute(
        "UPDATE ota_campaign_history SET at = at - $2::interval WHERE campaign_id = $1", campaign, by
    )


async def promised(api: Pool, campaign: int) -> float:
    return (await history.read(api, WHO, campaign)).points[-1].promised


async def test_the_promise_is_the_rate_while_the_campaign_runs(fleet: Fleet, loops: Pool, api: Pool) -> None:
    campaign = await started(fleet, loops, 1000, rollout_rate=600)
    await pass_by(fleet, campaign, 20)
    assert await promised(api, campaign) == pytest.approx(200, abs=5)
    await change(loops, campaign, S.PAUSED)
    await pass_by(fleet, campaign, 60)
    assert await promised(api, campaign) == pytest.approx(200, abs=5)
    await change(loops, campaign, S.RUNNING)
    await pass_by(fleet, campaign, 10)
    assert await promised(api, campaign) == pytest.approx(300, abs=10)


async def test_a_change_of_rate_counts_from_its_moment(fleet: Fleet, loops: Pool, api: Pool) -> None:
    campaign = await started(fleet, loops, 1000, rollout_rate=600, gates=(Gate(900, rate=60),))
    await pass_by(fleet, campaign, 100)
    async with transaction(api, TENANT) as conn:
        await campaign_store.set_rate(conn, campaign, 600)  # the stage's: the campaign's own was that before
        await changes.change(
            conn, campaign, status=S.RUNNING, event="rate_changed", by="me", reason_code=None, detail=None
        )
    await pass_by(fleet, campaign, 10)
    assert await promised(api, campaign) == pytest.approx(200, abs=10)


async def test_a_stage_promises_no_more_devices_than_it_has_and_the_next_goes_on_from_there(
    fleet: Fleet, loops: Pool, api: Pool
) -> None:
    campaign = await started(fleet, loops, 100, rollout_rate=60, gates=(Gate(10, rate=600),))
    await fleet.move(campaign, "SKIPPED", "d0", "d1", skip_reason="superseded")
    await pass_by(fleet, campaign, 600)
    assert await promised(api, campaign) == 8
    await fleet.set(campaign, current_stage=1)
    await pass_by(fleet, campaign, 20)
    assert await promised(api, campaign) == pytest.approx(28, abs=1)


async def test_a_promise_never_falls_when_an_abort_skips_what_waits(fleet: Fleet, loops: Pool, api: Pool) -> None:
    campaign = await started(fleet, loops, 100, rollout_rate=600)
    await pass_by(fleet, campaign, 5)
    await change(loops, campaign, S.ABORTED)
    await fleet.move(campaign, "SKIPPED", skip_reason="aborted")
    assert await promised(api, campaign) == pytest.approx(50, abs=3)


async def test_each_second_has_one_point_however_many_replicas_write(fleet: Fleet, loops: Pool, api: Pool) -> None:
    campaign = await started(fleet, loops, 10)
    for second in range(5):
        await asyncio.gather(*(history.record_due(loops) for _ in range(3)))
        await history.record_due(loops)
        await fleet.move(campaign, "SUCCESS", f"d{second}")
        await pass_by(fleet, campaign, 1)
    found = await history.read(api, WHO, campaign)
    assert [point.number for point in found.points] == [0, 1, 2, 3, 4, None]
    assert [point.counts.get("SUCCESS", 0) for point in found.points] == [0, 1, 2, 3, 4, 5]
    assert [point.counts["PENDING"] for point in found.points] == [10, 9, 8, 7, 6, 5]


async def test_a_point_has_the_rows_of_its_moment(fleet: Fleet, loops: Pool, api: Pool) -> None:
    campaign = await started(fleet, loops, 6)
    await fleet.move(campaign, "DOWNLOADING", "d0", "d1", attempt=1)
    await fleet.move(campaign, "FAILED", "d2", failures=3, error_code="no_power")
    await fleet.move(campaign, "PENDING", "d3", failures=1, error_code="no_power")
    await history.record_due(loops)
    await fleet.move(campaign, "SUCCESS", "d3")
    recorded, present = (await history.read(api, WHO, campaign)).points
    assert recorded.counts == {"DOWNLOADING": 2, "FAILED": 1, "PENDING": 3}
    assert present.counts == await fleet.statuses(campaign)
    assert (recorded.failed_attempts, present.failed_attempts) == (4, 4)


async def test_a_full_history_is_thinned_and_stays_within_600_points(fleet: Fleet, loops: Pool, api: Pool) -> None:
    campaign = await started(fleet, loops, 1)
    await fleet.pool.execute(
        """INSERT INTO ota_campaign_history
           SELECT $1, n, $2, now() - make_interval(secs => 600 - n), n, '{"PENDING": 1}', 0
             FROM generate_series(0, 598) n""",
        campaign,
        TENANT,
    )
    assert len((await history.read(api, WHO, campaign)).points) == 600
    await history.record_due(loops)
    found = await history.read(api, WHO, campaign)
    assert (found.resolution, [point.number for point in found.points][-3:]) == (2, [598, 600, None])
    assert len(found.points) == 302
    kept = "SELECT count(*) FROM ota_campaign_history WHERE campaign_id = $1"
    assert await fleet.pool.fetchval(kept, campaign) == 301, "the finer half is deleted"
    await pass_by(fleet, campaign, 2)
    await history.record_due(loops)
    assert (await history.read(api, WHO, campaign)).points[-2].number == 602


async def test_nothing_is_recorded_before_the_start_and_after_the_end(fleet: Fleet, loops: Pool, api: Pool) -> None:
    waiting = await fleet.campaign(1, status="CREATED", epoch=0)
    ended = await started(fleet, loops, 1)
    await fleet.move(ended, "SUCCESS")
    await change(loops, ended, S.COMPLETED)
    await history.record_due(loops)
    assert await fleet.pool.fetchval("SELECT count(*) FROM ota_campaign_history") == 0
    [point] = (await history.read(api, WHO, waiting)).points
    assert (point.promised, point.counts) == (0, {"PENDING": 1})
    [last] = (await history.read(api, WHO, ended)).points
    assert last.at == (await fleet.get(ended))["completed_at"], "the end stays the last point"


async def test_a_campaign_that_is_tried_again_long_after_keeps_the_points_of_its_beginning(
    fleet: Fleet, loops: Pool, api: Pool
) -> None:
    campaign = await started(fleet, loops, 1)
    for _ in range(3):
        await history.record_due(loops)
        await pass_by(fleet, campaign, 1)
    await pass_by(fleet, campaign, 30 * 86_400)
    await history.record_due(loops)
    found = await history.read(api, WHO, campaign)
    assert [point.number for point in found.points] == [0, 1, 2, 3, None]
    assert found.resolution == 1


async def test_another_tenants_history_is_not_there(fleet: Fleet, loops: Pool, api: Pool) -> None:
    campaign = await started(fleet, loops, 1)
    with pytest.raises(CampaignNotFound):
        await history.read(api, Principal("x", "other", frozenset({"viewer"})), campaign)
    async with transaction(api, "other") as conn:
        assert await history_store.points(conn, campaign) == []
