"""A preview says what the campaign would do, refuses what its creation refuses, and keeps nothing."""

from datetime import UTC, datetime

import pytest

from campaign_svc.campaigns.campaign_requests import NewStage
from campaign_svc.campaigns.preview import estimated_seconds, stage_sizes
from tests.api.world import CAMPAIGNS, DEVICES, FIRMWARE, World

MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
TABLES = ("ota_campaigns", "ota_device_status", "ota_campaign_stages", "ota_campaign_timeline", "idempotency_keys")


async def rows(world: World) -> list[int]:
    return [await world.sql.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]


async def test_it_says_who_is_in_and_who_is_out_and_why_and_how_long_and_how_many_bytes(world: World) -> None:
    group = await world.group(10)
    firmware = await world.firmware(version="9.9", device_type="gw2", file_size_bytes=1000)
    others = [
        {"device_id": f"{group}-0", "device_type": "gw3"},
        {"device_id": f"{group}-1", "device_type": "gw2", "current_version": "9.9"},
        {"device_id": f"{group}-2", "device_type": "gw2", "current_version": "9.9"},
    ]
    await world.api.post(f"{DEVICES}/bulk", {"devices": others})
    busy = await world.campaign("RUNNING", target_group_id=group)
    await world.sql.execute(
        "UPDATE ota_device_status SET status = 'QUEUED', attempt = 1 WHERE campaign_id = $1 AND device_id = ANY ($2)",
        busy["id"],
        [f"{group}-0", f"{group}-5"],
    )
    body = await world.new_campaign(target_group_id=group, firmware_version_id=firmware, rollout_rate=60)
    asked = (await world.api.get(f"{FIRMWARE}/{firmware}"))["address"]
    before = await rows(world)
    assert await world.api.post(CAMPAIGNS, body, preview=True) == {
        "would_update": 7,
        "skipped": {"already_on_version": 2, "wrong_device_type": 1},
        "busy_elsewhere": 1,
        "stages": [{"name": "all", "total": 10}],
        "estimated_seconds": 7,
        "bytes": 7000,
        "warnings": [
            {"code": "not_checked", "detail": "not checked: FILE_CHECK is off", "checked_at": asked["checked_at"]}
        ],
    }
    assert await rows(world) == before


@pytest.mark.parametrize(
    ("answered", "warnings"),
    [
        ((None, None, None), [("not_checked", "not checked: nobody has asked this address yet")]),
        ((MOMENT, "bad_status", "it answers 404, not the file"), [("bad_status", "it answers 404, not the file")]),
        ((MOMENT, None, None), []),
    ],
)
async def test_it_warns_of_what_the_firmwares_address_answered_last_and_when(
    world: World, answered: tuple[object, ...], warnings: list[tuple[str, str]]
) -> None:
    body = await world.new_campaign()
    await world.sql.execute(
        """UPDATE firmware_versions SET address_checked_at = $2, address_warning_code = $3, address_warning = $4
            WHERE id = $1""",
        body["firmware_version_id"],
        *answered,
    )
    found = (await world.api.post(CAMPAIGNS, body, preview=True))["warnings"]
    at = "2026-11-24T12:00:00.000000Z" if answered[0] else None
    assert found == [{"code": code, "detail": detail, "checked_at": at} for code, detail in warnings]
    await world.api.post(CAMPAIGNS, body, status=201)


@pytest.mark.parametrize(
    ("stages", "sizes"),
    [
        (None, [1, 99]),
        ([{"name": "a", "share": 0.07}], [7, 93]),
        ([{"name": "a", "share": 0.071}], [8, 92]),
        ([{"name": "a", "count": 5}, {"name": "b", "share": 0.29}], [5, 29, 66]),
        ([{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}], [50, 50, 0]),
        ([{"name": "a", "count": 1000}, {"name": "b", "count": 3}], [100, 0, 0]),
    ],
)
async def test_its_stages_are_those_of_the_campaign_that_is_then_created(
    world: World, stages: object, sizes: list[int]
) -> None:
    group = await world.group(100)
    body = await world.new_campaign(target_group_id=group, rollout_strategy="canary", stages=stages)
    previewed = (await world.api.post(CAMPAIGNS, body, preview=True))["stages"]
    created = (await world.api.post(CAMPAIGNS, body, status=201))["stages"]
    assert [stage["total"] for stage in previewed] == sizes
    assert previewed == [{"name": stage["name"], "total": stage["total"]} for stage in created]


async def test_it_refuses_what_creation_refuses(world: World) -> None:
    good = await world.new_campaign()
    bad = await world.firmware()
    await world.api.post(f"/customer/firmware/{bad}/withdraw", {"reason": "bad"})
    for wrong, refusal in (
        ({"firmware_version_id": 999_999}, (422, "unknown_firmware", ["firmware_version_id"])),
        ({"firmware_version_id": bad}, (409, "firmware_withdrawn", ["firmware_version_id"])),
        ({"target_group_id": "nobody"}, (422, "unknown_group", ["target_group_id"])),
        ({"target_group_id": await world.group(1)}, None),
        ({"rollout_rate": 0}, (422, "invalid", ["rollout_rate"])),
        ({"stages": [{"name": "a", "share": 1}]}, (422, "invalid", ["stages"])),
    ):
        body = good | wrong
        if refusal is None:
            group = body["target_group_id"]
            await world.api.post(f"/customer/device-groups/{group}/members/remove", {"device_ids": [f"{group}-0"]})
            refusal = (422, "empty_group", ["target_group_id"])
        assert await world.api.refused("POST", CAMPAIGNS, body, preview=True) == refusal
        assert await world.api.refused("POST", CAMPAIGNS, body) == refusal
    assert await world.api.refused("POST", CAMPAIGNS, good, previw=True) == (422, "invalid", ["previw"])


def test_the_time_is_each_stages_rate_and_soak_and_an_empty_stage_takes_none() -> None:
    gated = [
        NewStage(name="a", count=10, rollout_rate=60, soak_seconds=100),
        NewStage(name="b", count=5, soak_seconds=900),
    ]
    assert estimated_seconds(120, gated, [10, 5, 90]) == 10 + 100 + 2.5 + 900 + 45 + 0.5
    assert estimated_seconds(120, gated, [3, 0, 0]) == 103
    assert estimated_seconds(120, [], [1]) == 1


def test_shares_are_exact_and_never_more_than_there_are() -> None:
    assert stage_sizes([NewStage(name="a", share=0.07)], 100) == [7, 93]
    assert stage_sizes([NewStage(name="a", share=1), NewStage(name="b", count=1)], 3) == [3, 0, 0]
    assert stage_sizes([NewStage(name="a", share=0.01)], 0) == [0, 0]


async def test_a_preview_counts_a_large_group(world: World) -> None:
    await world.sql.execute(
        """INSERT INTO devices (tenant_id, device_id, device_type, current_version)
           SELECT 'acme', 'many-' || n, 'gw2', (n % 3)::text FROM generate_series(1, 30000) n"""
    )
    await world.api.post("/customer/device-groups", {"group_id": "many", "name": "many"}, status=201)
    await world.sql.execute(
        """INSERT INTO device_group_members (tenant_id, group_id, device_id)
           SELECT tenant_id, 'many', device_id FROM devices WHERE device_id LIKE 'many-%'"""
    )
    await world.sql.execute("ANALYZE devices, device_group_members")
    body = await world.new_campaign(target_group_id="many", firmware_version_id=await world.firmware(version="1"))
    found = await world.api.post(CAMPAIGNS, body, preview=True)
    assert (found["would_update"], found["skipped"]) == (20_000, {"already_on_version": 10_000})
