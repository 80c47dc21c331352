"""Names, addresses and bodies as callers send them, at the services and through the gateway."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local_stack import devices, stack_env
from local_stack.ports import HOST
from pulse.contracts.names import RULE, in_address
from tests.api.world import CAMPAIGNS, DEVICES, FIRMWARE, GROUPS, World, behind_gateway
from tests.rest import KEY

LISTS = (FIRMWARE, DEVICES, GROUPS, CAMPAIGNS)
ODD = ("why?", "100%", "%2e%2e", "a;b", "né 漢🛰", "..a", 'quo"te\\', "a&b=c")


@pytest.fixture(scope="module")
async def gateway_port(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    async with behind_gateway(world, tmp_path_factory.mktemp("door")) as gateway:
        yield gateway.port


async def answered(port: int, target: str, method: str = "GET") -> tuple[int, dict[str, str]]:
    """Status and headers of an answer to a request that no client has mended, under a host name of the caller's own."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
    status, *lines = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")[0].decode().split("\r\n")
    writer.close()
    pairs = (line.partition(": ") for line in lines)
    return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}


@pytest.mark.parametrize("letter", ["Ж", "🛰"])
async def test_every_list_goes_on_by_its_next_whatever_its_names(world: World, letter: str) -> None:
    ids = [letter * 126 + f"{n:02}" for n in range(3)]
    await world.api.post(f"{DEVICES}/bulk", {"devices": [{"device_id": one, "device_type": "gw2"} for one in ids]})
    for one in ids:
        await world.api.post(GROUPS, {"group_id": one, "name": one}, status=201)
    await world.api.post(f"{GROUPS}/{in_address(ids[0])}/members", {"device_ids": ids})
    campaign = await world.campaign(target_group_id=ids[0])
    places = (
        (DEVICES, "devices", "device_id"),
        (GROUPS, "groups", "group_id"),
        (f"{GROUPS}/{in_address(ids[0])}/members", "devices", "device_id"),
        (f"{CAMPAIGNS}/{campaign['id']}/devices", "devices", "device_id"),
    )
    for path, plural, field in places:
        found: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = await world.api.get(path, limit=1, **after)
            found += [row[field] for row in page[plural]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert set(ids) <= set(found), path


@pytest.mark.parametrize("path", LISTS)
async def test_an_address_with_a_slash_too_many_is_not_there_and_leads_nowhere(
    world: World, gateway_port: int, path: str
) -> None:
    service_port = urlsplit(str(world.api.client.base_url)).port
    assert service_port is not None
    for port in (service_port, gateway_port):
        for method in ("GET", "POST"):
            status, headers = await answered(port, f"{path}/", method)
            assert (status, headers["content-type"]) == (404, "application/problem+json")
            assert "location" not in headers


@pytest.mark.parametrize("dots", [".", "..", "..."])
@pytest.mark.parametrize(
    ("path", "field", "more"),
    [
        (DEVICES, "device_id", {"device_type": "gw2"}),
        (DEVICES, "device_type", {"device_id": "d1"}),
        (GROUPS, "group_id", {"name": "n"}),
    ],
)
async def test_dots_alone_are_refused_as_a_name_with_the_rule(
    world: World, path: str, field: str, more: dict[str, str], dots: str
) -> None:
    answer = await world.api.ask("POST", path, {field: dots} | more)
    assert answer.status_code == 422
    assert [(error["field"], error["detail"]) for error in answer.json()["errors"]] == [(field, RULE)]


async def test_a_token_for_a_tenant_of_dots_lets_nobody_in(world: World) -> None:
    answer = await world.api.as_("operator", "..").ask("GET", DEVICES)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the claim tenant_id must be a tenant's name")


@pytest.mark.parametrize("version", ["5.0 ", " 5.0", "5.0\u2028", "5.0\x85"])
async def test_a_version_that_nobody_could_see_the_end_of_is_refused_with_the_rule(world: World, version: str) -> None:
    for path, body in (
        (FIRMWARE, world.new_firmware(version=version)),
        (DEVICES, {"device_id": world.name(), "device_type": "gw2", "current_version": version}),
    ):
        answer = await world.api.ask("POST", path, body)
        assert answer.status_code == 422
        assert "one line without a blank at either end" in answer.json()["errors"][0]["detail"]


async def test_a_device_named_under_an_earlier_rule_is_listed_found_and_deleted(world: World) -> None:
    name = f"old\u2028{world.name()}"
    insert = "INSERT INTO devices (tenant_id, device_id, device_type) VALUES ('acme', $1, 'gw2')"
    await world.sql.execute(insert, name)
    assert name in [one["device_id"] for one in (await world.api.get(DEVICES, search="old"))["devices"]]
    path = f"{DEVICES}/{in_address(name)}"
    assert (await world.api.get(path))["device_id"] == name
    assert (await world.api.as_("admin").ask("DELETE", path)).status_code == 204


@pytest.mark.parametrize("name", ODD)
async def test_a_device_of_any_name_is_made_by_hand_twice_and_its_type_is_known(
    world: World, gateway_port: int, tmp_path: Path, name: str
) -> None:
    (tmp_path / "key").write_bytes(KEY)
    stack = {
        "GATEWAY_URL": f"http://{HOST}:{gateway_port}",
        "AUTH_KEY_FILE": str(tmp_path / "key"),
        "MQTT_HOST": HOST,
        "MQTT_PORT": "1",
    }
    stack_env.write(tmp_path, stack, [])
    first = await asyncio.to_thread(devices.make, tmp_path, "acme", name, "gw2")
    again = await asyncio.to_thread(devices.make, tmp_path, "acme", name, "gw2")
    assert (first.device, first.password != again.password) == (name, True)
    assert (await world.api.get(f"{DEVICES}/{in_address(name)}"))["device_id"] == name


NOT_JSON = ("application/x-www-form-urlencoded", "text/plain", "text/json", "", "nonsense")


@pytest.mark.parametrize("kind", NOT_JSON)
@pytest.mark.parametrize("path", [FIRMWARE, DEVICES, GROUPS, CAMPAIGNS, f"{DEVICES}/bulk", f"{CAMPAIGNS}/1/start"])
async def test_a_body_that_is_not_called_json_is_told_what_to_send(world: World, path: str, kind: str) -> None:
    answer = await world.api.upload(path, '{"name": "x"}', kind)
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
    assert answer.json()["code"] == "unsupported_media_type"
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
async def test_json_under_any_of_its_names_is_read(world: World, kind: str) -> None:
    answer = await world.api.upload(GROUPS, f'{{"group_id": "{world.name()}", "name": "x"}}', kind)
    assert answer.status_code == 201


async def test_a_control_request_needs_no_body_and_so_no_type(world: World) -> None:
    campaign = await world.campaign()
    answer = await world.api.client.post(f"{CAMPAIGNS}/{campaign['id']}/start", headers=world.api.headers)
    assert answer.status_code in (200, 202)


async def test_who_may_not_write_is_told_that_before_the_body_is_looked_at(world: World) -> None:
    assert (await world.api.as_("viewer").upload(GROUPS, "x=1", "text/plain")).status_code == 403


async def test_a_csv_that_is_not_called_one_is_told_what_to_send(world: World) -> None:
    answer = await world.api.upload(f"{DEVICES}/import", "device_id,device_type\n", "text/plain")
    assert (answer.status_code, "Content-Type: text/csv" in answer.json()["detail"]) == (415, True)
