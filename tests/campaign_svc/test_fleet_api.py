"""`/customer/devices` and `/customer/device-groups` on the real database, under the service's own role."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from campaign_svc.main import build
from pulse.runtime import db
from tests.real_parts import Database
from tests.rest import Caller, caller, verifier

DEVICES, GROUPS = "/customer/devices", "/customer/device-groups"


@pytest.fixture(scope="module")
async def api(postgres: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    folder: Path = tmp_path_factory.mktemp("auth")
    async with db.pool(postgres.dsn_of("campaign_svc"), size=4) as pool:
        yield caller(build(pool, verifier(folder), None, {}))


def new(device_id: str, **more: object) -> dict[str, object]:
    return {"device_id": device_id, "device_type": "gw2"} | more


async def test_a_registered_device_is_answered_found_and_listed(api: Caller) -> None:
    made = await api.post(
        DEVICES, new("d1", current_version="1.0", attributes={"site": "Bern", "floor": 3}), status=201
    )
    assert made["attributes"] == {"site": "Bern", "floor": 3}
    assert made["last_seen_at"] is None
    assert await api.get(f"{DEVICES}/d1") == made | {"updates": []}
    assert made in (await api.get(DEVICES, search="d1"))["devices"]
    assert await api.refused("POST", DEVICES, new("d1")) == (409, "device_exists", ["device_id"])


@pytest.mark.parametrize(
    "device_id", ["", "a/b", "a+b", "a#b", "a\0b", " a", "a\n", "x" * 129, "a\x85b", "a\ufffe", "\U0001ffff"]
)
async def test_a_device_id_that_cannot_be_a_topic_level_is_refused(api: Caller, device_id: str) -> None:
    status, _, fields = await api.refused("POST", DEVICES, new(device_id))
    assert (status, fields) == (422, ["device_id"])


@pytest.mark.parametrize(
    "attributes",
    [{"a": {"b": 1}}, {"a": "x" * 501}, {"": 1}, {"a\0": 1}, {"a": "\0"}, {str(n): n for n in range(51)}, 7],
)
async def test_wrong_attributes_are_refused(api: Caller, attributes: object) -> None:
    status, _, fields = await api.refused("POST", DEVICES, new("d9", attributes=attributes))
    assert status == 422
    assert all(field.startswith("attributes") for field in fields)


async def test_a_bulk_creates_and_updates_all_or_none(api: Caller) -> None:
    bulk = [new(f"b{n}", current_version="1.0", attributes={"n": n}) for n in range(5)]
    assert await api.post(f"{DEVICES}/bulk", {"devices": bulk}) == {"created": 5, "updated": 0}
    again = [new("b0", device_type="gw3"), new("b5")]
    assert await api.post(f"{DEVICES}/bulk", {"devices": again}) == {"created": 1, "updated": 1}
    known = await api.get(f"{DEVICES}/b0")
    assert (known["device_type"], known["current_version"], known["attributes"]) == ("gw3", "1.0", {"n": 0})
    wrong = [new("b7"), new("b/8")]
    assert (await api.refused("POST", f"{DEVICES}/bulk", {"devices": wrong}))[2] == ["devices.1.device_id"]
    assert (await api.refused("GET", f"{DEVICES}/b7"))[:2] == (404, "device_not_found")
    twice = {"devices": [new("b7"), new("b7")]}
    assert await api.refused("POST", f"{DEVICES}/bulk", twice) == (422, "duplicate_device", ["devices.1.device_id"])


async def test_a_bulk_clears_attributes_that_are_given_empty_and_keeps_those_left_out(api: Caller) -> None:
    await api.post(f"{DEVICES}/bulk", {"devices": [new(i, attributes={"site": "Bern"}) for i in ("keep", "clear")]})
    again = [new("keep"), new("clear", attributes={}), new("fresh")]
    assert await api.post(f"{DEVICES}/bulk", {"devices": again}) == {"created": 1, "updated": 2}
    found = [(await api.get(f"{DEVICES}/{i}"))["attributes"] for i in ("keep", "clear", "fresh")]
    assert found == [{"site": "Bern"}, {}, {}]


async def test_two_bulks_over_the_same_devices_at_once_both_succeed(api: Caller) -> None:
    devices = [new(f"race{n}") for n in range(300)]
    bulks = [{"devices": devices}, {"devices": devices[::-1]}, {"devices": devices}]
    answers = await asyncio.gather(*(api.post(f"{DEVICES}/bulk", bulk) for bulk in bulks))
    assert sum(answer["created"] for answer in answers) == 300


async def test_totals_of_devices_and_members_come_from_counters_that_equal_the_rows(
    api: Caller, postgres: Database
) -> None:
    acme = api.as_(tenant="count")
    await acme.post(f"{DEVICES}/bulk", {"devices": [new(f"d{n}") for n in range(30)]})
    await acme.post(GROUPS, {"group_id": "g", "name": "G"}, status=201)
    await acme.post(f"{GROUPS}/g/members", {"device_ids": [f"d{n}" for n in range(20)]})
    await acme.post(f"{GROUPS}/g/members/remove", {"device_ids": ["d0", "d1"]})
    assert (await api.as_("admin", "count").ask("DELETE", f"{DEVICES}/d2")).status_code == 204
    assert (await acme.get(DEVICES))["total"] == 29
    assert (await acme.get(f"{GROUPS}/g"))["member_count"] == 17
    assert (await acme.get(f"{GROUPS}/g/members"))["total"] == 17
    assert (await acme.get(DEVICES, group_id="g", search="d1"))["total"] == 10
    owner = await asyncpg.connect(postgres.dsn)
    try:
        assert await owner.fetchval("SELECT count(*) FROM devices WHERE tenant_id = 'count'") == 29
        assert await owner.fetchval("SELECT count(*) FROM device_group_members WHERE tenant_id = 'count'") == 17
    finally:
        await owner.close()


async def test_members_come_and_go_and_unknown_ones_change_nothing(api: Caller) -> None:
    await api.post(f"{DEVICES}/bulk", {"devices": [new(f"m{n}") for n in range(4)]})
    await api.post(GROUPS, {"group_id": "mm", "name": "M", "description": "all m"}, status=201)
    members = f"{GROUPS}/mm/members"
    assert await api.post(members, {"device_ids": ["m0", "m1", "m1"]}) == {"added": 2, "already": 0}
    assert await api.post(members, {"device_ids": ["m1", "m2"]}) == {"added": 1, "already": 1}
    wrong = {"device_ids": ["m3", "nobody"]}
    assert await api.refused("POST", members, wrong) == (422, "unknown_device", ["device_ids.1"])
    assert [d["device_id"] for d in (await api.get(members))["devices"]] == ["m0", "m1", "m2"]
    assert await api.post(f"{members}/remove", {"device_ids": ["m0", "m3"]}) == {"removed": 1}
    assert (await api.refused("POST", f"{members}/remove", wrong))[:2] == (422, "unknown_device")
    assert (await api.refused("POST", f"{GROUPS}/none/members", {"device_ids": ["m0"]}))[:2] == (404, "group_not_found")


async def test_groups_are_made_once_listed_and_deleted_by_an_admin(api: Caller) -> None:
    made = await api.post(GROUPS, {"group_id": "g1", "name": "First"}, status=201)
    assert (made["member_count"], made["description"]) == (0, None)
    assert await api.refused("POST", GROUPS, {"group_id": "g1", "name": "x"}) == (409, "group_exists", ["group_id"])
    assert made in (await api.get(GROUPS))["groups"]
    assert (await api.refused("DELETE", f"{GROUPS}/g1"))[:2] == (403, "forbidden")
    assert (await api.as_("admin").ask("DELETE", f"{GROUPS}/g1")).status_code == 204
    assert (await api.refused("GET", f"{GROUPS}/g1"))[:2] == (404, "group_not_found")


async def test_devices_are_paged_by_cursor(api: Caller) -> None:
    pages = api.as_(tenant="pages")
    await pages.post(f"{DEVICES}/bulk", {"devices": [new(f"p{n}") for n in range(5)]})
    seen, after = [], None
    while True:
        page = await pages.get(DEVICES, limit=2, **({"after": after} if after else {}))
        seen += [device["device_id"] for device in page["devices"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["p0", "p1", "p2", "p3", "p4"]
    assert (await pages.refused("GET", DEVICES, limit=2, offset=1, after="x"))[2] == ["offset"]


async def test_another_tenants_devices_and_groups_are_not_there(api: Caller) -> None:
    await api.post(DEVICES, new("mine"), status=201)
    await api.post(GROUPS, {"group_id": "mine", "name": "x"}, status=201)
    foreign = api.as_("admin", "other")
    assert (await foreign.refused("GET", f"{DEVICES}/mine"))[0] == 404
    assert (await foreign.refused("DELETE", f"{DEVICES}/mine"))[0] == 404
    assert (await foreign.refused("GET", f"{GROUPS}/mine/members"))[0] == 404
    assert (await foreign.refused("DELETE", f"{GROUPS}/mine"))[0] == 404
    await foreign.post(GROUPS, {"group_id": "theirs", "name": "x"}, status=201)
    wrong = {"device_ids": ["mine"]}
    assert (await foreign.refused("POST", f"{GROUPS}/theirs/members", wrong))[:2] == (422, "unknown_device")


@pytest.mark.parametrize("place", ["a\0", "\ud800", 7])
async def test_a_cursor_that_no_page_has_given_is_refused(api: Caller, place: object) -> None:
    after = urlsafe_b64encode(json.dumps([place]).encode()).decode()
    assert await api.refused("GET", DEVICES, after=after) == (422, "invalid", ["after"])
