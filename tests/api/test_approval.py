"""An approver opens a gate that awaits it or has failed, or with a reason one that runs; nobody else, and no other."""

import pytest

from campaign_svc.engine.judge import StagePassed, judge
from campaign_svc.engine.live_store import look
from tests.api.world import CAMPAIGNS, World


async def canary(world: World, status: str, campaign_status: str = "RUNNING", devices: int = 2) -> str:
    """Half of the devices, in the stage and campaign status wanted; the campaign's path."""
    stages = [{"name": "a", "count": devices // 2}]
    group = await world.group(devices)
    made = await world.campaign(
        campaign_status, rollout_strategy="canary", stages=stages, abort_threshold=1, target_group_id=group
    )
    await world.stage(made["id"], status)
    return f"{CAMPAIGNS}/{made['id']}"


def number_of(path: str) -> int:
    return int(path.rpartition("/")[2])


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


@pytest.mark.parametrize("campaign_status", ["RUNNING", "PAUSED"])
async def test_a_gate_that_was_not_reached_is_opened_with_a_reason_which_the_timeline_keeps_with_the_numbers(
    world: World, campaign_status: str
) -> None:
    path = await canary(world, "RUNNING", campaign_status, devices=20)
    await world.sql.execute(
        """UPDATE ota_device_status SET status = 'SUCCESS', attempt = 1 WHERE campaign_id = $1 AND stage = 0""",
        number_of(path),
    )
    await world.sql.execute(
        """UPDATE ota_device_status SET status = 'PENDING', wait = 'offline'
            WHERE campaign_id = $1 AND device_id = ANY (ARRAY(SELECT device_id FROM ota_device_status
                WHERE campaign_id = $1 AND stage = 0 ORDER BY device_id LIMIT 3))""",
        number_of(path),
    )
    approver = world.api.as_("approver")
    await approver.post(f"{path}/stages/0/approve", {"reason": "they are in a closed shop"})
    entry = (await approver.get(f"{path}/timeline"))["entries"][-1]
    assert (entry["event"], entry["by"], entry["reason"]) == ("approved", "approver@acme", "they are in a closed shop")
    assert entry["detail"] == {
        "stage": 0, "gate": "RUNNING", "updatable": 10, "needed": 10, "succeeded": 7, "failed": 0,
        "at_work": 0, "waiting": 3, "offline": 3, "refused": 0,
    }  # fmt: skip
    async with world.sql.acquire() as conn:
        seen = await look(conn, number_of(path), 10)
    assert seen is not None
    verdict = judge(seen)
    assert isinstance(verdict, StagePassed) if campaign_status == "RUNNING" else verdict is None


@pytest.mark.parametrize("body", [None, {}, {"reason": None}, {"reason": ""}, {"reason": " \t"}])
async def test_a_gate_that_was_not_reached_stays_closed_without_a_reason(world: World, body: object) -> None:
    path = await canary(world, "RUNNING")
    refused = await world.api.as_("approver").ask("POST", f"{path}/stages/0/approve", body)
    [error] = refused.json()["errors"]
    assert (refused.status_code, error["field"], error["code"]) == (422, "reason", "required")
    assert (await world.api.get(path))["stages"][0]["approved_at"] is None


async def test_the_last_stage_has_no_gate_to_open(world: World) -> None:
    path = await canary(world, "PASSED")
    await world.stage(number_of(path), "RUNNING", 1)
    refusal = await world.api.as_("approver").refused("POST", f"{path}/stages/1/approve", {"reason": "why not"})
    assert refusal[:2] == (409, "wrong_state")


@pytest.mark.parametrize("status", ["WAITING", "SOAKING", "PASSED"])
async def test_a_gate_that_neither_waits_nor_failed_is_not_approved(world: World, status: str) -> None:
    path = await canary(world, status)
    refusal = await world.api.as_("approver").refused("POST", f"{path}/stages/0/approve", {"reason": "now"})
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
