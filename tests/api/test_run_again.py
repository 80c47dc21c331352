"""A campaign for what another one has not updated: whom it takes, what it refuses, what its answer says."""

from typing import Any

import pytest

from tests.api.world import CAMPAIGNS, DEVICES, GROUPS, World

LEFT = ["FAILED", "SKIPPED", "PENDING"]


async def aborted(world: World) -> dict[str, Any]:
    """Of five devices the first has failed, the second succeeded, the third was skipped, two still wait."""
    made = await world.campaign("ABORTED", target_group_id=await world.group(5))
    group = made["target_group_id"]
    for name, status, reason in ((f"{group}-1", "SUCCESS", None), (f"{group}-2", "SKIPPED", "aborted")):
        await world.sql.execute(
            """UPDATE ota_device_status SET status = $3, skip_reason = $4, completed_at = now()
                WHERE campaign_id = $1 AND device_id = $2""",
            made["id"],
            name,
            status,
            reason,
        )
    return made


async def again(world: World, of: dict[str, Any], statuses: list[str]) -> dict[str, object]:
    body = await world.new_campaign(target_group_id="unused", target_of={"campaign_id": of["id"], "statuses": statuses})
    del body["target_group_id"]
    return body


async def devices(world: World, campaign: dict[str, Any]) -> list[str]:
    rows = (await world.api.get(f"{CAMPAIGNS}/{campaign['id']}/devices"))["devices"]
    return [row["device_id"] for row in rows]


@pytest.mark.parametrize(("statuses", "places"), [(LEFT, [0, 2, 3, 4]), (["FAILED"], [0]), (["SKIPPED"], [2])])
async def test_a_campaign_takes_the_devices_that_another_one_left(
    world: World, statuses: list[str], places: list[int]
) -> None:
    first = await aborted(world)
    body = await again(world, first, statuses)
    previewed = await world.api.post(CAMPAIGNS, body, preview=True)
    made = await world.api.post(CAMPAIGNS, body, status=201)
    assert previewed["would_update"] == made["total_devices"] == len(places)
    assert await devices(world, made) == [f"{first['target_group_id']}-{place}" for place in places]
    assert made["target_group_id"] is None
    assert made["target_of"] == {"campaign_id": first["id"], "statuses": statuses}
    assert (await world.api.get(f"{CAMPAIGNS}/{made['id']}"))["target_of"] == made["target_of"]
    assert (await world.api.get(f"{CAMPAIGNS}/{first['id']}"))["target_of"] is None
    [listed, *_] = (await world.api.get(CAMPAIGNS))["campaigns"]
    assert listed["target_of"] == made["target_of"]


async def test_the_group_is_not_needed_any_more_and_the_devices_are(world: World) -> None:
    first = await aborted(world)
    await world.sql.execute("UPDATE ota_campaigns SET completed_at = now() WHERE id = $1", first["id"])
    group, admin = first["target_group_id"], world.api.as_("admin")
    made = await world.api.post(CAMPAIGNS, await again(world, first, ["FAILED"]), status=201)
    assert (await admin.ask("DELETE", f"{GROUPS}/{group}")).status_code == 204
    assert await world.api.refused("DELETE", f"{DEVICES}/{group}-2") == (403, "forbidden", [])
    assert (await admin.refused("DELETE", f"{DEVICES}/{group}-0"))[:2] == (409, "device_active")
    await admin.post(f"{CAMPAIGNS}/{made['id']}/start")


async def test_devices_that_are_gone_are_not_taken_and_nobody_left_is_refused(world: World) -> None:
    first = await world.campaign("COMPLETED")
    await world.sql.execute(
        """UPDATE ota_device_status SET status = 'SUCCESS' WHERE campaign_id = $1 AND status = 'PENDING'""", first["id"]
    )
    body = await again(world, first, ["FAILED"])
    assert (await world.api.post(CAMPAIGNS, body, preview=True))["would_update"] == 1
    await world.api.as_("admin").ask("DELETE", f"{DEVICES}/{first['target_group_id']}-0")
    for preview in (True, False):
        refusal = await world.api.refused("POST", CAMPAIGNS, body, preview=preview)
        assert refusal == (422, "empty_target", ["target_of"])


async def test_exactly_one_target_is_given(world: World) -> None:
    first = await aborted(world)
    body = await again(world, first, LEFT)
    both, none = body | {"target_group_id": first["target_group_id"]}, body | {"target_of": None}
    for wrong in (both, none, {name: value for name, value in body.items() if name != "target_of"}):
        assert await world.api.refused("POST", CAMPAIGNS, wrong) == (422, "invalid", ["target_group_id"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"campaign_id": 1, "statuses": []}, "target_of.statuses"),
        ({"campaign_id": 1, "statuses": ["SUCCESS"]}, "target_of.statuses.0"),
        ({"campaign_id": 1, "statuses": ["QUEUED"]}, "target_of.statuses.0"),
        ({"campaign_id": 0, "statuses": ["FAILED"]}, "target_of.campaign_id"),
        ({"statuses": ["FAILED"]}, "target_of.campaign_id"),
        ({"campaign_id": 1, "statuses": ["FAILED"], "colour": "red"}, "target_of.colour"),
    ],
)
async def test_a_wrong_target_names_its_field_alone(world: World, wrong: dict[str, object], field: str) -> None:
    body = await again(world, {"id": 1}, LEFT) | {"target_of": wrong}
    assert await world.api.refused("POST", CAMPAIGNS, body) == (422, "invalid", [field])


async def test_what_waits_in_a_live_campaign_is_left_to_it(world: World) -> None:
    first = await world.campaign("PAUSED")
    refusal = await world.api.refused("POST", CAMPAIGNS, await again(world, first, LEFT))
    assert refusal == (422, "not_ended", ["target_of.statuses"])
    made = await world.api.post(CAMPAIGNS, await again(world, first, ["FAILED", "SKIPPED"]), status=201)
    assert made["total_devices"] == 1


async def test_a_campaign_of_another_tenant_is_unknown(world: World) -> None:
    first = await aborted(world)
    theirs = world.api.as_("operator", "globex")
    firmware = await theirs.post("/customer/firmware", world.new_firmware(), status=201)
    body = await again(world, first, LEFT) | {"firmware_version_id": firmware["id"]}
    for preview in (True, False):
        refusal = await theirs.refused("POST", CAMPAIGNS, body, preview=preview)
        assert refusal == (422, "unknown_campaign", ["target_of.campaign_id"])
