"""An approver opens a gate that awaits it or has failed; nobody else, and no other gate."""

import pytest

from campaign_svc.engine.judge import StagePassed, judge
from campaign_svc.engine.live_store import look
from tests.api.world import CAMPAIGNS, World

CANARY = [{"name": "a", "count": 1}]


async def canary(world: World, status: str, campaign_status: str = "RUNNING") -> str:
    made = await world.campaign(campaign_status, rollout_strategy="canary", stages=CANARY, abort_threshold=1)
    await world.stage(made["id"], status)
    return f"{CAMPAIGNS}/{made['id']}"


@pytest.mark.parametrize("status", ["AWAITING_APPROVAL", "FAILED"])
async def test_an_approved_gate_opens_when_the_campaign_is_judged_next(world: World, status: str) -> None:
    path = await canary(world, status)
    approver = world.api.as_("approver")
    answer = await approver.post(f"{path}/stages/0/approve", {"reason": "looked at it"})
    assert answer["stages"][0]["status"] == status
    async with world.sql.acquire() as conn:
        seen = await look(conn, answer["id"], 10)
    assert seen is not None
    assert isinstance(judge(seen), StagePassed)
    entry = (await approver.get(f"{path}/timeline"))["entries"][-1]
    assert (entry["event"], entry["by"], entry["reason"]) == ("approved", "approver@acme", "looked at it")
    assert entry["detail"] == {"stage": 0}


async def test_a_failed_gate_may_be_approved_while_the_campaign_is_paused_and_twice_is_as_once(world: World) -> None:
    path = await canary(world, "FAILED", "PAUSED")
    admin = world.api.as_("admin")
    for _ in range(2):
        answer = await admin.post(f"{path}/stages/0/approve")
        assert (answer["status"], answer["stages"][0]["approved_by"]) == ("PAUSED", "admin@acme")
        assert answer["stages"][0]["approved_at"]
    entries = (await admin.get(f"{path}/timeline"))["entries"]
    assert [entry["event"] for entry in entries].count("approved") == 1


@pytest.mark.parametrize("status", ["WAITING", "RUNNING", "SOAKING", "PASSED"])
async def test_a_gate_that_neither_waits_nor_failed_is_not_approved(world: World, status: str) -> None:
    path = await canary(world, status)
    refusal = await world.api.as_("approver").refused("POST", f"{path}/stages/0/approve")
    assert refusal[:2] == (409, "wrong_state")


@pytest.mark.parametrize("campaign_status", ["COMPLETED", "ABORTED"])
async def test_nothing_is_approved_in_a_campaign_that_is_over(world: World, campaign_status: str) -> None:
    path = await canary(world, "FAILED", campaign_status)
    refusal = await world.api.as_("approver").refused("POST", f"{path}/stages/0/approve")
    assert refusal[:2] == (409, "wrong_state")


async def test_a_stage_that_is_not_there_cannot_be_approved(world: World) -> None:
    path = await canary(world, "AWAITING_APPROVAL")
    approver = world.api.as_("approver")
    assert (await approver.refused("POST", f"{path}/stages/2/approve"))[:2] == (404, "stage_not_found")
    assert (await approver.refused("POST", f"{path}/stages/x/approve"))[:2] == (422, "invalid")
    assert (await approver.refused("POST", f"{CAMPAIGNS}/999999/stages/0/approve"))[:2] == (404, "campaign_not_found")
