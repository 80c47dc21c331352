"""What the registry says of a device is looked at when it is claimed, and once more when its campaign starts."""

from datetime import timedelta

import pytest

from campaign_svc.campaigns.campaign_requests import NewStage
from campaign_svc.campaigns.preview import stage_sizes
from campaign_svc.engine import rollout_store, take_in_store
from campaign_svc.engine.engine import Engine
from pulse.runtime.db import Pool, transaction
from tests.campaign_svc.rows import TENANT, Fleet, Gate
from tests.campaign_svc.wire import requests_of

UNFIT = "wrong_device_type"


async def skipped(fleet: Fleet, campaign: int) -> dict[str, str]:
    rows = await fleet.pool.fetch(
        "SELECT device_id, skip_reason FROM ota_device_status WHERE campaign_id = $1 AND status = 'SKIPPED'", campaign
    )
    return {row["device_id"]: row["skip_reason"] for row in rows}


async def unfit_campaign(fleet: Fleet, fit: int, unfit: int, gates: tuple[Gate, ...] = ()) -> int:
    """As creation leaves it: `unfit` devices of another type, u0, u1, …, in the last stage; started a moment ago."""
    campaign = await fleet.campaign(fit, gates=gates, firmware_device_type="gw2", take_in_after="")
    last = len(gates)
    for n in range(unfit):
        await fleet.row(campaign, f"u{n}", "SKIPPED", skip_reason=UNFIT, rank=fit + n, stage=last)
    await fleet.register(TENANT, *(f"u{n}" for n in range(unfit)), device_type="gw3")
    return campaign


async def test_a_device_whose_type_was_corrected_is_skipped_at_the_claim(
    fleet: Fleet, engine: Engine, kafka: str
) -> None:
    campaign = await fleet.campaign(3, firmware_device_type="gw2")
    await fleet.register(TENANT, "d1", device_type="gw3")
    await engine.tick(campaign)
    assert await skipped(fleet, campaign) == {"d1": "wrong_device_type"}
    row = await fleet.device(campaign, "d1")
    assert (row["attempt"], row["queued_at"], row["not_after"]) == (0, None, None)
    assert row["completed_at"] is not None
    assert {sent.request.device_id for sent in await requests_of(kafka, campaign)} == {"d0", "d2"}
    assert await fleet.miscounted() == []


async def test_firmware_for_any_type_fits_a_device_of_every_type(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(2)
    await fleet.register(TENANT, "d1", device_type="gw3", version="1.0")
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"QUEUED": 2}


async def test_a_device_that_runs_the_version_by_now_is_skipped_at_the_claim(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(2)
    await fleet.register(TENANT, "d1", version="2.1.0")
    await engine.tick(campaign)
    assert await skipped(fleet, campaign) == {"d1": "already_on_version"}


async def test_a_device_that_is_gone_never_keeps_its_campaign_waiting(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(1)
    await fleet.move(campaign, "PENDING", attempt=3)
    await fleet.unregister("d0")
    await engine.tick(campaign)
    await engine.tick(campaign)
    assert await skipped(fleet, campaign) == {"d0": "unknown_device"}
    assert (await fleet.get(campaign))["status"] == "COMPLETED"


async def test_a_device_that_was_registered_anew_as_another_type_and_retried_is_skipped(
    fleet: Fleet, engine: Engine
) -> None:
    campaign = await fleet.campaign(1, firmware_device_type="gw2", status="RUNNING")
    await fleet.move(campaign, "FAILED", attempt=3, failures=3, completed_at=(await fleet.get(campaign))["created_at"])
    await fleet.unregister("d0")
    await fleet.register(TENANT, "d0", device_type="gw9")
    await fleet.pool.execute("UPDATE ota_campaigns SET retry_before = now() WHERE id = $1", campaign)
    for _ in range(3):
        await engine.tick(campaign)
    assert await skipped(fleet, campaign) == {"d0": "wrong_device_type"}
    assert (await fleet.device(campaign, "d0"))["attempt"] == 3
    assert await fleet.miscounted() == []


async def test_many_devices_that_do_not_fit_do_not_slow_the_release_of_others(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(3_000, rollout_rate=1, firmware_device_type="gw2")
    await fleet.register(TENANT, *(f"d{n}" for n in range(2_999)), device_type="gw3")
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SKIPPED": 2_999, "QUEUED": 1}


async def test_a_device_at_work_for_another_campaign_is_judged_when_that_has_ended(fleet: Fleet, loops: Pool) -> None:
    going_back, campaign = await fleet.campaign(2, firmware_version="1.0"), await fleet.campaign(2)
    await fleet.move(going_back, "INSTALLING", attempt=1)
    await fleet.register(TENANT, "d0", "d1", version="2.1.0")
    async with transaction(loops) as conn:
        assert await rollout_store.claim(conn, campaign, [0], 10, timedelta(seconds=30)) == ([], {})
        assert not await rollout_store.skip_unfit(conn, campaign, [0], 10)
    assert await fleet.statuses(campaign) == {"PENDING": 2}


async def test_devices_that_fit_since_the_campaign_was_made_are_taken_in_at_its_start(
    fleet: Fleet, engine: Engine
) -> None:
    campaign = await unfit_campaign(fleet, 2, 20)
    await fleet.register(TENANT, *(f"u{n}" for n in range(15)), device_type="gw2")
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"QUEUED": 17, "SKIPPED": 5}
    assert set(await skipped(fleet, campaign)) == {f"u{n}" for n in range(15, 20)}
    assert (await fleet.device(campaign, "u0"))["completed_at"] is None
    assert (await fleet.get(campaign))["take_in_after"] is None
    taken = await fleet.pool.fetch("SELECT detail FROM ota_campaign_timeline WHERE event = 'taken_in'")
    assert sum(row["detail"]["devices"] for row in taken) == 15
    assert await fleet.miscounted() == []


async def test_a_campaign_of_devices_that_did_not_fit_is_not_completed_before_they_are_looked_at(
    fleet: Fleet, engine: Engine
) -> None:
    campaign = await unfit_campaign(fleet, 0, 1)
    await fleet.register(TENANT, "u0", device_type="gw2")
    await engine.tick(campaign)
    assert (await fleet.get(campaign))["status"] == "RUNNING"
    assert await fleet.statuses(campaign) == {"QUEUED": 1}


async def test_who_was_excluded_or_commanded_is_not_taken_in(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(firmware_device_type="gw2", take_in_after="")
    await fleet.row(campaign, "out", "SKIPPED", skip_reason="excluded")
    await fleet.row(campaign, "tried", "SKIPPED", skip_reason=UNFIT, attempt=1)
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SKIPPED": 2}


async def test_an_abort_takes_nobody_in(fleet: Fleet, engine: Engine) -> None:
    campaign = await unfit_campaign(fleet, 1, 20)
    await fleet.register(TENANT, *(f"u{n}" for n in range(20)), device_type="gw2")
    await fleet.set(campaign, status="ABORTED")
    for _ in range(2):
        await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SKIPPED": 21}
    assert (await fleet.get(campaign))["completed_at"] is not None


@pytest.mark.parametrize(("fit", "unfit"), [(0, 200), (3, 197), (100, 100), (190, 10)])
@pytest.mark.parametrize(
    "sizes", [({"share": 0.07}, {"share": 0.5}), ({"count": 5}, {"share": 0.1}), ({"share": 0.4}, {"share": 0.6})]
)
async def test_stages_are_as_large_as_if_the_devices_had_fitted_from_the_beginning(
    fleet: Fleet, loops: Pool, fit: int, unfit: int, sizes: tuple[dict[str, float], ...]
) -> None:
    stages = [NewStage(name="s", **size) for size in sizes]
    gates = tuple(Gate(size) for size in stage_sizes(stages, fit)[:-1])
    campaign = await unfit_campaign(fleet, fit, unfit, gates)
    for n, stage in enumerate(stages):
        await fleet.set_stage(campaign, n, share=stage.share, device_count=stage.count)
    await fleet.register(TENANT, *(f"u{n}" for n in range(unfit)), device_type="gw2")
    async with transaction(loops) as conn:
        looked = unfit
        while looked:
            looked, _ = await take_in_store.take_in(conn, campaign, 7)
    rows = await fleet.pool.fetch(
        "SELECT stage, count(*) AS n FROM ota_device_status WHERE campaign_id = $1 GROUP BY 1", campaign
    )
    found = {row["stage"]: row["n"] for row in rows}
    assert [found.get(n, 0) for n in range(3)] == stage_sizes(stages, fit + unfit)
    assert await fleet.miscounted() == []
