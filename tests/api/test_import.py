"""`POST /customer/devices/import` on the real database: all of the file, or nothing and every wrong line."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from campaign_svc.fleet.import_api import MAX_CSV_BYTES
from tests.api.world import DEVICES, GROUPS, World

PATH = f"{DEVICES}/import"
HEAD = "device_id,device_type,current_version,attributes.site\n"


async def imported(world: World, content: str | bytes, **query: Any) -> dict[str, Any]:
    answer = await world.api.upload(PATH, content, **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refused(world: World, content: str | bytes, **query: Any) -> dict[str, Any]:
    answer = await world.api.upload(PATH, content, **query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_devices_are_created_brought_up_to_date_and_put_into_the_group(world: World) -> None:
    group, name = await world.group(1), world.name()
    await world.api.post(DEVICES, {"device_id": name, "device_type": "gw1", "current_version": "1.0"}, status=201)
    content = f"{HEAD}{name},gw2,,Bern\n{name}-b,gw2,2.0,\n{group}-0,gw2,,\n"
    assert await imported(world, content, group_id=group) == {"created": 1, "updated": 2, "added_to_group": 2}
    known = await world.api.get(f"{DEVICES}/{name}")
    assert (known["device_type"], known["current_version"], known["attributes"]) == ("gw2", "1.0", {"site": "Bern"})
    assert (await world.api.get(f"{GROUPS}/{group}"))["member_count"] == 3
    assert await imported(world, content, group_id=group) == {"created": 0, "updated": 3, "added_to_group": 0}


async def test_attributes_stay_without_their_columns_and_are_those_of_the_line_with_them(world: World) -> None:
    name = world.name()
    device = {"device_id": name, "device_type": "gw2", "attributes": {"site": "Bern", "floor": 3}}
    await world.api.post(DEVICES, device, status=201)
    await imported(world, f"device_id,device_type\n{name},gw2\n")
    assert (await world.api.get(f"{DEVICES}/{name}"))["attributes"] == {"site": "Bern", "floor": 3}
    await imported(world, f"device_id,device_type,attributes.rack\n{name},gw2,7\n")
    assert (await world.api.get(f"{DEVICES}/{name}"))["attributes"] == {"rack": "7"}


async def test_every_wrong_line_is_named_and_nothing_is_imported(world: World) -> None:
    name, before = world.name(), (await world.api.get(DEVICES))["total"]
    lines = [f"{name},gw2,,", "a/b,gw2,,", f"{name},gw3,,", 'x,"gw2,,', "x,gw2", f"{name}2,gw2,,", f"{name},gw2,,"]
    problem = await refused(world, HEAD + "\n".join(lines))
    assert (problem["code"], problem["errors_total"]) == ("invalid_csv", 5)
    assert [(error["line"], error["field"], error["code"]) for error in problem["errors"]] == [
        (3, "device_id", "bad_format"),
        (4, "device_id", "duplicate_device"),
        (5, "line", "bad_quotes"),
        (6, "line", "field_count"),
        (8, "device_id", "duplicate_device"),
    ]
    assert problem["errors"][1]["detail"] == "is in line 2 already"
    assert (await world.api.get(DEVICES))["total"] == before


async def test_of_many_errors_the_first_thousand_are_named_and_all_are_counted(world: World) -> None:
    good, bad = "same,gw2,,\n", "a/b,gw2,,\n"
    problem = await refused(world, HEAD + good + (bad + good) * 3000)
    assert (len(problem["errors"]), problem["errors_total"]) == (1000, 6000)
    assert [error["line"] for error in problem["errors"]] == list(range(3, 1003))


async def test_a_dry_run_says_the_same_and_keeps_nothing(world: World) -> None:
    group, name = await world.group(1), world.name()
    content = f"{HEAD}{name},gw2,,\n{group}-0,gw9,,\n"
    told = await imported(world, content, group_id=group, dry_run=True)
    assert told == {"created": 1, "updated": 1, "added_to_group": 1}
    assert (await world.api.ask("GET", f"{DEVICES}/{name}")).status_code == 404
    assert (await world.api.get(f"{DEVICES}/{group}-0"))["device_type"] == "gw2"
    assert await imported(world, content, group_id=group) == told
    assert (await refused(world, HEAD + "a/b,gw2,,\n", dry_run=True))["errors_total"] == 1


async def test_a_header_alone_imports_nothing_and_a_wrong_one_says_so(world: World) -> None:
    assert await imported(world, HEAD) == {"created": 0, "updated": 0, "added_to_group": 0}
    problem = await refused(world, "device_id,kind\nd1,gw2\n")
    assert [(e["line"], e["field"], e["code"]) for e in problem["errors"]] == [
        (1, "device_type", "required"),
        (1, "kind", "unknown_field"),
    ]
    assert (await refused(world, ""))["errors_total"] == 2


async def test_an_unknown_group_another_type_and_an_unknown_option_are_refused(world: World) -> None:
    answer = await world.api.upload(PATH, HEAD, group_id="nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "group_not_found")
    for kind in ("application/json", "text/csv; charset=utf-16"):
        answer = await world.api.upload(PATH, HEAD, kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert (await world.api.upload(PATH, HEAD, 'text/csv; charset="UTF-8"')).status_code == 200
    problem = await refused(world, HEAD, dry_rum=True)
    assert [error["field"] for error in problem["errors"]] == ["dry_rum"]


async def endless(size: int) -> AsyncIterator[bytes]:
    yield HEAD.encode()
    line = b"d1,gw2,," + b"x" * 400 + b"\n"
    for _ in range(size // (len(line) * 200) + 1):
        yield line * 200


async def test_a_file_over_the_limit_is_refused_while_it_comes_in(world: World) -> None:
    headers = world.api.headers | {"content-type": "text/csv"}
    answer = await world.api.client.post(PATH, content=endless(MAX_CSV_BYTES), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_large_file_takes_little_memory(world: World) -> None:
    size = 100_000
    content = "device_id,device_type\n" + "".join(f"large-{n:07},gw2\n" for n in range(size))
    tracemalloc.start()
    try:
        result = await imported(world, content, dry_run=True)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result["created"] == size
    assert most < 20 * 1024 * 1024


async def test_imports_bulks_and_deletions_at_once_all_end_well(world: World) -> None:
    group, admin = await world.group(60), world.api.as_("admin")
    content = "device_id,device_type\n" + "".join(f"{group}-{n},gw2\n" for n in range(60))
    members = {"device_ids": [f"{group}-{n}" for n in range(30, 60)]}
    answers = await asyncio.gather(
        *(world.api.upload(PATH, content, group_id=group) for _ in range(3)),
        *(world.api.ask("POST", f"{GROUPS}/{group}/members/remove", members) for _ in range(2)),
        *(admin.ask("DELETE", f"{DEVICES}/{group}-{n}") for n in range(30)),
    )
    assert {answer.status_code for answer in answers} <= {200, 204}


@pytest.mark.parametrize("change", ["again", "other"])
async def test_an_import_with_a_key_is_done_once(world: World, change: str) -> None:
    name = world.name()
    keyed = world.api.with_headers(idempotency_key=name)
    content = f"device_id,device_type\n{name},gw2\n"
    assert (await keyed.upload(PATH, content)).json()["created"] == 1
    answer = await keyed.upload(PATH, content if change == "again" else content.replace("gw2", "gw3"))
    assert answer.status_code == (200 if change == "again" else 409)
