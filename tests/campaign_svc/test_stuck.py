"""A gate that cannot open by itself is found, told to whoever looks, and no longer told once it can."""

from collections.abc import AsyncIterator

import pytest

from campaign_svc.engine import stage_store
from campaign_svc.engine.live import StageStatus
from campaign_svc.insight import stuck
from campaign_svc.main import build
from pulse.runtime import db
from pulse.runtime.db import Pool
from tests.campaign_svc.rows import Fleet, Gate
from tests.real_parts import Database
from tests.rest import Caller, caller, verifier

CANARY = (Gate(20, min_success=0.95),)
OVERVIEW, CAMPAIGNS = "/customer/ota/overview", "/customer/ota/campaigns"


@pytest.fixture(scope="module")
async def api(postgres: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    async with db.pool(postgres.dsn_of("campaign_svc"), size=4) as pool:
        yield caller(build(pool, verifier(tmp_path_factory.mktemp("auth")), None, {})).as_("viewer")


@pytest.fixture
async def canary(fleet: Fleet) -> int:
    """Of the 20 devices of its first stage 18 are updated; the gate needs 19, and two are offline."""
    campaign = await fleet.campaign(40, gates=CANARY, name="winter")
    await fleet.set_stage(campaign, 0, status="RUNNING", name="canary")
    await fleet.move(campaign, "SUCCESS", *[f"d{n}" for n in range(18)], attempt=1)
    await fleet.move(campaign, "PENDING", "d18", "d19", attempt=1, wait="offline", offline_tries=1)
    return campaign


async def is_stuck(fleet: Fleet, loops: Pool, campaign: int) -> bool:
    await stuck.note(loops)
    return (await fleet.stage(campaign, 0))["stuck_since"] is not None


async def test_a_gate_whose_last_devices_are_offline_is_stuck_and_stays_so_while_they_are_tried_again(
    fleet: Fleet, loops: Pool, canary: int
) -> None:
    assert await is_stuck(fleet, loops, canary)
    since = (await fleet.stage(canary, 0))["stuck_since"]
    await fleet.move(canary, "QUEUED", "d18", attempt=2, wait=None)
    assert await is_stuck(fleet, loops, canary)
    await fleet.move(canary, "PENDING", "d18", wait="refused")
    assert await is_stuck(fleet, loops, canary)
    assert (await fleet.stage(canary, 0))["stuck_since"] == since


@pytest.mark.parametrize(
    ("status", "given"),
    [
        ("PENDING", {"wait": None, "offline_tries": 0}),
        ("PENDING", {"wait": "retry", "failures": 1}),
        ("DOWNLOADING", {"wait": None}),
        ("SUCCESS", {"wait": None}),
        ("SKIPPED", {"wait": None, "skip_reason": "superseded"}),
    ],
)
async def test_a_gate_is_not_stuck_while_enough_devices_may_still_succeed(
    fleet: Fleet, loops: Pool, canary: int, status: str, given: dict[str, object]
) -> None:
    assert await is_stuck(fleet, loops, canary)
    await fleet.move(canary, status, "d18", **given)
    stays = status == "SKIPPED"  # 18 of 19 are not 95 %
    assert await is_stuck(fleet, loops, canary) == stays


async def test_a_gate_is_not_stuck_before_each_device_of_its_stage_has_had_its_turn(
    fleet: Fleet, loops: Pool, canary: int
) -> None:
    await fleet.move(canary, "PENDING", *[f"d{n}" for n in range(5)], attempt=0)
    await fleet.move(canary, "PENDING", *[f"d{n}" for n in range(5, 20)], attempt=1, wait="offline")
    assert not await is_stuck(fleet, loops, canary)


async def test_a_gate_that_moves_is_not_stuck(fleet: Fleet, loops: Pool, canary: int) -> None:
    assert await is_stuck(fleet, loops, canary)
    async with loops.acquire() as conn:
        await stage_store.move(conn, canary, 0, StageStatus.PASSED, None)
    assert not await is_stuck(fleet, loops, canary)


async def test_the_overview_names_a_stuck_gate_and_the_campaign_says_what_is_missing(
    fleet: Fleet, loops: Pool, api: Caller, canary: int
) -> None:
    assert (await api.get(OVERVIEW))["waiting"] == []
    await stuck.note(loops)
    [waits] = (await api.get(OVERVIEW))["waiting"]
    told = "stage canary: 18 devices are updated, 2 are offline or refused"
    assert (waits["campaign_id"], waits["why"], waits["detail"]) == (canary, "gate_stuck", told)
    [listed] = (await api.get(CAMPAIGNS, needs_attention="true"))["campaigns"]
    first, last = listed["stages"]
    assert (first["needed"], first["stuck_since"]) == (19, waits["since"])
    assert (last["needed"], last["stuck_since"]) == (None, None)
    approver = api.as_("approver")
    answer = await approver.post(f"{CAMPAIGNS}/{canary}/stages/0/approve", {"reason": "two shops are closed"})
    assert answer["stages"][0]["stuck_since"] is None
    assert (await api.get(OVERVIEW))["waiting"] == []


async def test_a_paused_campaign_waits_for_whoever_paused_it(
    fleet: Fleet, loops: Pool, api: Caller, canary: int
) -> None:
    await fleet.set(canary, status="PAUSED", status_reason_code="operator")
    assert await is_stuck(fleet, loops, canary)
    assert (await api.get(OVERVIEW))["waiting"] == []
