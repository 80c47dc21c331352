"""Who may do what: every operation of both services, for every role, without a token, and for another tenant."""

import json

import httpx
import pytest

from tests.api.operations import OPERATIONS, ROLES, documented, request
from tests.api.world import World
from tests.rest import Caller

STREAMS = ("GET /customer/ota/events",)
"""No list that ends; what they tell is tested with the streams."""
GENERAL = [name for name, operation in OPERATIONS.items() if not operation.names_object]


def test_no_operation_of_the_openapi_is_missing_here() -> None:
    assert sorted(documented()) == sorted(OPERATIONS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_role_may_do_its_operations_and_no_other(world: World, name: str, role: str) -> None:
    answer = await (await request(name, world)).send(world.api.as_(role))
    if role in OPERATIONS[name].roles:
        assert answer.status_code == OPERATIONS[name].status
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_token_without_a_role_may_nothing(world: World, name: str) -> None:
    answer = await (await request(name, world)).send(world.api.as_("janitor"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("name", OPERATIONS)
async def test_without_a_token_nothing_is_told(world: World, name: str) -> None:
    answer = await (await request(name, world)).send(Caller(world.api.client, None))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.names_object])
async def test_another_tenants_object_is_not_there_whatever_the_role(world: World, name: str) -> None:
    wanted = await request(name, world)
    answer = await wanted.send(world.api.as_(",".join(ROLES), "other"))
    assert answer.status_code == 404
    mine = await wanted.send(world.api.as_("admin"))
    assert mine.status_code == OPERATIONS[name].status


@pytest.mark.parametrize("name", [name for name in GENERAL if name.startswith("GET") and name not in STREAMS])
async def test_lists_and_sums_have_nothing_of_another_tenant(world: World, name: str) -> None:
    wanted = await request(name, world)
    assert any(told(await wanted.send(world.api.as_("admin"))))
    assert not any(told(await wanted.send(world.api.as_("admin", "empty"))))


def told(answer: httpx.Response) -> list[object]:
    """What an answer has of its tenant: lists and numbers."""
    if answer.status_code == 404:
        return []
    assert answer.status_code == 200, answer.text
    return [value for key, value in answer.json().items() if key not in ("limit", "offset")]


async def test_a_campaign_cannot_aim_at_another_tenants_group_or_firmware(world: World) -> None:
    foreign = world.api.as_("admin", "other")
    wanted = await request("POST /customer/ota/campaigns", world)
    answer = await wanted.send(foreign)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_firmware")
    theirs = (await foreign.post("/customer/firmware", world.new_firmware(), status=201))["id"]
    assert isinstance(wanted.body, dict)
    answer = await foreign.ask("POST", wanted.path, wanted.body | {"firmware_version_id": theirs})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_group")


async def test_two_tenants_may_use_the_same_names(world: World) -> None:
    body = {"device_id": "same", "device_type": "gw2"}
    mine = await world.api.post("/customer/devices", body, status=201)
    theirs = await world.api.as_(tenant="other").post("/customer/devices", body | {"device_type": "x"}, status=201)
    assert json.dumps([mine["device_type"], theirs["device_type"]]) == '["gw2", "x"]'
