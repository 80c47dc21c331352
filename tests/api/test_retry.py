"""An operator's retry: of all failed devices by the loops, of named ones at once; completed campaigns reopen."""

from typing import Any

import pytest

from pulse.contracts.kafka import CONTROL, CampaignControl, decoder
from tests.api.world import CAMPAIGNS, DEVICES, World


async def state(world: World, campaign: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await world.api.get(f"{CAMPAIGNS}/{campaign['id']}")
    return found


async def events(world: World, campaign: dict[str, Any]) -> list[tuple[str, Any]]:
    entries = (await world.api.get(f"{CAMPAIGNS}/{campaign['id']}/timeline"))["entries"]
    return [(entry["event"], entry["detail"]) for entry in entries]


async def test_a_retry_of_all_is_left_to_the_loops_and_counted(world: World) -> None:
    campaign = await world.campaign("RUNNING")
    assert await world.api.post(f"{CAMPAIGNS}/{campaign['id']}/retry", status=202) == {"accepted": 1}
    before = await world.sql.fetchval("SELECT retry_before FROM ota_campaigns WHERE id = $1", campaign["id"])
    assert before is not None
    assert (await state(world, campaign))["status_breakdown"]["FAILED"] == 1
    assert (await events(world, campaign))[-1] == ("retried", {"devices": 1})
    assert (await state(world, campaign))["epoch"] == 1


async def test_named_devices_are_moved_at_once_and_only_those_that_failed(world: World) -> None:
    campaign = await world.campaign("PAUSED")
    group = campaign["target_group_id"]
    path = f"{CAMPAIGNS}/{campaign['id']}/retry"
    both = {"device_ids": [f"{group}-0", f"{group}-1", f"{group}-0"]}
    assert await world.api.post(path, both, status=202) == {"accepted": 1}
    [row, _] = (await world.api.get(f"{CAMPAIGNS}/{campaign['id']}/devices"))["devices"]
    assert (row["status"], row["failures"], row["attempt"], row["completed_at"]) == ("PENDING", 0, 3, None)
    assert (await state(world, campaign))["failing_devices"] == 0
    assert await world.api.post(path, both, status=202) == {"accepted": 0}
    assert [event for event, _ in await events(world, campaign)].count("retried") == 1


async def test_an_unknown_device_changes_nothing(world: World) -> None:
    campaign = await world.campaign("RUNNING")
    wrong = {"device_ids": [campaign["target_group_id"] + "-0", "nobody"]}
    refusal = await world.api.refused("POST", f"{CAMPAIGNS}/{campaign['id']}/retry", wrong)
    assert refusal == (422, "unknown_device", ["device_ids.1"])
    assert (await state(world, campaign))["failed"] == 1


async def test_a_device_that_is_gone_is_not_retried_and_is_unknown_by_name(world: World) -> None:
    campaign = await world.campaign("COMPLETED")
    path, gone = f"{CAMPAIGNS}/{campaign['id']}/retry", campaign["target_group_id"] + "-0"
    await world.fail(campaign["id"], campaign["target_group_id"] + "-1")
    assert (await world.api.as_("admin").ask("DELETE", f"{DEVICES}/{gone}")).status_code == 204
    refusal = await world.api.refused("POST", path, {"device_ids": [campaign["target_group_id"] + "-1", gone]})
    assert refusal == (422, "unknown_device", ["device_ids.1"])
    assert (await state(world, campaign))["failed"] == 2
    assert await world.api.post(path, status=202) == {"accepted": 1}
    assert (await events(world, campaign))[-1] == ("reopened", {"devices": 1})


async def test_a_campaign_of_which_all_failed_devices_are_gone_stays_completed(world: World) -> None:
    campaign = await world.campaign("COMPLETED")
    await world.api.as_("admin").ask("DELETE", f"{DEVICES}/{campaign['target_group_id']}-0")
    assert await world.api.post(f"{CAMPAIGNS}/{campaign['id']}/retry", status=202) == {"accepted": 0}
    assert (await state(world, campaign))["status"] == "COMPLETED"


async def test_a_completed_campaign_reopens_under_a_new_epoch_that_is_announced(world: World) -> None:
    campaign = await world.campaign("COMPLETED")
    keyed = world.api.with_headers(idempotency_key=world.name())
    for _ in range(2):
        assert await keyed.post(f"{CAMPAIGNS}/{campaign['id']}/retry", status=202) == {"accepted": 1}
    found = await state(world, campaign)
    assert (found["status"], found["epoch"], found["completed_at"]) == ("RUNNING", 2, None)
    assert (await events(world, campaign))[-1] == ("reopened", {"devices": 1})
    record = await world.last_record(CONTROL.name)
    announced = decoder(CampaignControl).decode(record)
    assert (announced.campaign_id, announced.epoch, announced.status) == (campaign["id"], 2, "RUNNING")


async def test_a_completed_campaign_with_nothing_failed_stays_completed(world: World) -> None:
    campaign = await world.campaign("COMPLETED")
    await world.sql.execute("UPDATE ota_device_status SET status = 'SUCCESS' WHERE campaign_id = $1", campaign["id"])
    assert await world.api.post(f"{CAMPAIGNS}/{campaign['id']}/retry", status=202) == {"accepted": 0}
    assert (await state(world, campaign))["status"] == "COMPLETED"


@pytest.mark.parametrize("status", ["CREATED", "ABORTED"])
async def test_a_retry_does_not_fit_a_campaign_that_never_began_or_was_aborted(world: World, status: str) -> None:
    campaign = await world.campaign(status)
    for body in (None, {"device_ids": [campaign["target_group_id"] + "-0"]}):
        refusal = await world.api.refused("POST", f"{CAMPAIGNS}/{campaign['id']}/retry", body)
        assert refusal[:2] == (409, "wrong_state")


async def test_nothing_is_retried_past_the_campaigns_end_or_of_withdrawn_firmware(world: World) -> None:
    ended, withdrawn = await world.campaign("RUNNING"), await world.campaign("COMPLETED")
    await world.sql.execute("UPDATE ota_campaigns SET end_at = now() WHERE id = $1", ended["id"])
    assert (await world.api.refused("POST", f"{CAMPAIGNS}/{ended['id']}/retry"))[:2] == (409, "wrong_state")
    firmware = withdrawn["firmware_version_id"]
    await world.api.post(f"/customer/firmware/{firmware}/withdraw", {"reason": "bad"})
    refusal = await world.api.refused("POST", f"{CAMPAIGNS}/{withdrawn['id']}/retry")
    assert refusal[:2] == (409, "firmware_withdrawn")
    assert (await state(world, withdrawn))["status"] == "COMPLETED"


@pytest.mark.parametrize("status", ["CREATED", "PAUSED"])
async def test_nothing_is_started_or_resumed_past_the_campaigns_end(world: World, status: str) -> None:
    campaign = await world.campaign(status)
    await world.sql.execute("UPDATE ota_campaigns SET end_at = now() WHERE id = $1", campaign["id"])
    refused = await world.api.ask("POST", f"{CAMPAIGNS}/{campaign['id']}/start")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert "has ended for all devices" in refused.json()["detail"]
    assert (await state(world, campaign))["status"] == status


@pytest.mark.parametrize("wrong", [{"device_ids": []}, {"device_ids": ["a/b"]}, {"device_ids": ["d"] * 1001}, {"x": 1}])
async def test_a_wrong_list_of_devices_is_refused(world: World, wrong: dict[str, object]) -> None:
    campaign = await world.campaign("RUNNING")
    assert (await world.api.refused("POST", f"{CAMPAIGNS}/{campaign['id']}/retry", wrong))[:2] == (422, "invalid")
