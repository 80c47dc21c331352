"""What a control change writes, under the role of either who may make one."""

from collections.abc import AsyncIterator

import pytest

from campaign_svc import changes
from pulse.contracts.status import CampaignStatus
from pulse.runtime import db
from tests.campaign_svc.rows import TENANT, Fleet
from tests.real_parts import Database

S = CampaignStatus


async def make(
    pool: db.Pool, campaign: int, status: S, event: str, code: str | None = None, detail: str | None = None
) -> int:
    async with db.transaction(pool, TENANT) as conn:
        await conn.fetch("SELECT FROM ota_campaigns WHERE id = $1 FOR UPDATE", campaign)
        return await changes.change(
            conn,
            campaign,
            status=status,
            event=event,
            by="operator@acme",
            reason_code=code,
            detail=detail,
            evidence={"n": 1},
        )


@pytest.fixture(params=["campaign_svc", "campaign_loops"])
async def pool(postgres: Database, request: pytest.FixtureRequest) -> AsyncIterator[db.Pool]:
    async with db.pool(postgres.dsn_of(request.param), size=2) as opened:
        yield opened


async def test_a_campaign_is_started_paused_resumed_and_aborted(fleet: Fleet, pool: db.Pool) -> None:
    campaign = await fleet.campaign(status="CREATED", epoch=0)
    assert await make(pool, campaign, S.RUNNING, "started") == 1
    started = await fleet.get(campaign)
    assert started["started_at"] is not None
    assert started["status_reason_code"] is None

    assert await make(pool, campaign, S.PAUSED, "paused", "operator", "looks odd") == 2
    paused = await fleet.get(campaign)
    assert (paused["status_reason_code"], paused["status_reason_detail"]) == ("operator", "looks odd")
    assert (paused["status_reason_by"], paused["status_reason_at"] is None) == ("operator@acme", False)

    assert await make(pool, campaign, S.RUNNING, "resumed") == 3
    resumed = await fleet.get(campaign)
    assert resumed["started_at"] == started["started_at"]
    assert [resumed[f"status_reason_{part}"] for part in ("code", "detail", "by", "at")] == [None] * 4

    assert await make(pool, campaign, S.ABORTED, "aborted", "operator") == 4
    assert (await fleet.get(campaign))["completed_at"] is None, "rows are still to be ended"
    assert await fleet.events(campaign) == ["started", "paused", "resumed", "aborted"]


async def test_another_rate_keeps_the_reason_of_a_pause(fleet: Fleet, pool: db.Pool) -> None:
    campaign = await fleet.campaign(status="PAUSED", status_reason_code="gate_failed", status_reason_detail="why")
    assert await make(pool, campaign, S.PAUSED, "rate_changed") == 2
    kept = await fleet.get(campaign)
    assert (kept["status_reason_code"], kept["status_reason_detail"]) == ("gate_failed", "why")


async def test_a_completed_campaign_that_is_opened_again_is_not_complete(fleet: Fleet, pool: db.Pool) -> None:
    campaign = await fleet.campaign()
    await make(pool, campaign, S.COMPLETED, "completed")
    assert (await fleet.get(campaign))["completed_at"] is not None
    await make(pool, campaign, S.RUNNING, "reopened")
    assert (await fleet.get(campaign))["completed_at"] is None


async def test_the_timeline_tells_who_why_and_on_what_evidence(fleet: Fleet, pool: db.Pool) -> None:
    campaign = await fleet.campaign(epoch=4)
    await make(pool, campaign, S.PAUSED, "paused", "operator", "looks odd")
    [entry] = await fleet.pool.fetch(
        "SELECT tenant_id, epoch, event, by, reason, detail FROM ota_campaign_timeline WHERE campaign_id = $1", campaign
    )
    assert tuple(entry) == (TENANT, 5, "paused", "operator@acme", "looks odd", {"n": 1, "code": "operator"})


async def test_a_note_leaves_the_epoch(fleet: Fleet, pool: db.Pool) -> None:
    campaign = await fleet.campaign(epoch=4)
    async with db.transaction(pool, TENANT) as conn:
        await changes.note(conn, campaign, event="approved", by="boss@acme", reason="fine")
    assert (await fleet.get(campaign))["epoch"] == 4
    assert await fleet.events(campaign) == ["approved"]
