"""An operator takes one device out of a campaign: where that is possible, where not, and what is told of it."""

from typing import Any

import pytest

from tests.api.world import CAMPAIGNS, DEVICES, World


async def arranged(world: World, campaign: str, device: str) -> tuple[dict[str, Any], str, str]:
    """A campaign, one of its devices in a state, and the path to skip it."""
    made = await world.campaign(campaign)
    name = made["target_group_id"] + "-1"
    finished = device in {"SUCCESS", "FAILED", "SKIPPED"}
    await world.sql.execute(
        """UPDATE ota_device_status SET status = $3, attempt = 1, completed_at = CASE WHEN $4 THEN now() END,
                  skip_reason = CASE WHEN $3 = 'SKIPPED' THEN 'aborted' END
            WHERE campaign_id = $1 AND device_id = $2""",
        made["id"],
        name,
        device,
        finished,
    )
    return made, name, f"{CAMPAIGNS}/{made['id']}/devices/{name}/skip"


async def entries(world: World, campaign: dict[str, Any]) -> list[dict[str, Any]]:
    told = (await world.api.get(f"{CAMPAIGNS}/{campaign['id']}/timeline"))["entries"]
    return [entry for entry in told if entry["event"] == "device_skipped"]


@pytest.mark.parametrize(
    ("campaign", "device"),
    [
        ("CREATED", "PENDING"),
        ("RUNNING", "PENDING"),
        ("PAUSED", "PENDING"),
        ("RUNNING", "QUEUED"),
        ("ABORTED", "QUEUED"),
        ("ABORTED", "DISPATCHED"),
        ("ABORTED", "INSTALLING"),
    ],
)
async def test_a_device_that_may_be_taken_out_is_skipped_and_twice_is_as_once(
    world: World, campaign: str, device: str
) -> None:
    made, name, path = await arranged(world, campaign, device)
    for _ in range(2):
        row = await world.api.post(path, {"reason": "in repair"})
        assert (row["device_id"], row["status"], row["skip_reason"]) == (name, "SKIPPED", "excluded")
        assert row["completed_at"]
    [entry] = await entries(world, made)
    assert (entry["by"], entry["reason"]) == ("operator@acme", "in repair")
    assert entry["detail"] == {"device_id": name, "was": device, "attempt": 1}
    found = await world.api.get(f"{CAMPAIGNS}/{made['id']}")
    assert found["status_breakdown"]["SKIPPED"] == 1
    assert found["epoch"] == made["epoch"] + (campaign != "CREATED")


@pytest.mark.parametrize("campaign", ["RUNNING", "PAUSED"])
@pytest.mark.parametrize("device", ["DISPATCHED", "DOWNLOADING", "INSTALLING"])
async def test_a_device_at_work_in_a_live_campaign_is_not_taken_back(world: World, campaign: str, device: str) -> None:
    made, _, path = await arranged(world, campaign, device)
    answer = await world.api.ask("POST", path)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert "at work" in answer.json()["detail"]
    assert (await world.api.get(f"{CAMPAIGNS}/{made['id']}"))["status_breakdown"][device] == 1


@pytest.mark.parametrize("device", ["SUCCESS", "FAILED", "SKIPPED"])
async def test_a_device_that_has_finished_is_not_taken_out(world: World, device: str) -> None:
    made, _, path = await arranged(world, "COMPLETED", device)
    assert (await world.api.refused("POST", path))[:2] == (409, "wrong_state")
    assert await entries(world, made) == []


async def test_a_device_that_is_not_in_the_campaign_is_not_found(world: World) -> None:
    made = await world.campaign("RUNNING")
    path = f"{CAMPAIGNS}/{made['id']}/devices/{await world.device()}/skip"
    assert (await world.api.refused("POST", path))[:2] == (404, "device_not_found")


async def test_a_device_and_its_group_can_be_deleted_once_it_is_taken_out_of_an_aborted_campaign(world: World) -> None:
    made, name, path = await arranged(world, "ABORTED", "DISPATCHED")
    admin = world.api.as_("admin")
    assert (await admin.refused("DELETE", f"{DEVICES}/{name}"))[:2] == (409, "device_active")
    await world.api.post(path)
    assert (await admin.ask("DELETE", f"{DEVICES}/{name}")).status_code == 204
    assert (await world.api.get(f"{CAMPAIGNS}/{made['id']}"))["total_devices"] == 2


async def test_a_key_that_is_sent_again_gets_the_kept_answer(world: World) -> None:
    made, _, path = await arranged(world, "RUNNING", "PENDING")
    keyed = world.api.with_headers(idempotency_key=world.name())
    first = await keyed.post(path, {"reason": "in repair"})
    answer = await keyed.ask("POST", path, {"reason": "in repair"})
    assert answer.json() == first
    assert answer.headers["idempotency-replayed"] == "true"
    assert len(await entries(world, made)) == 1


async def test_a_start_marks_the_campaign_for_a_look_at_whom_it_had_skipped(world: World) -> None:
    made = await world.campaign()
    query = "SELECT take_in_after FROM ota_campaigns WHERE id = $1"
    assert await world.sql.fetchval(query, made["id"]) is None
    await world.api.post(f"{CAMPAIGNS}/{made['id']}/start")
    assert await world.sql.fetchval(query, made["id"]) == ""
    await world.sql.execute(
        "UPDATE ota_campaigns SET take_in_after = NULL, status = 'PAUSED' WHERE id = $1", made["id"]
    )
    await world.api.post(f"{CAMPAIGNS}/{made['id']}/start")
    assert await world.sql.fetchval(query, made["id"]) is None, "resumed, not started"
