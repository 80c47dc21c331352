"""The OpenAPI says what everything is, and its examples are requests that the API takes."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pulse.runtime.errors import OtaError
from tests.api.operations import OPERATIONS
from tests.api.world import CAMPAIGNS, DEVICES, FIRMWARE, GROUPS, OPENAPI, World
from tests.openapi import Described, operations

DOCUMENTS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(OPENAPI.glob("*.json"))
}
ALL = list(operations(DOCUMENTS.values()))
NAMES = [one.name for one in ALL]
GENERAL = {"unauthenticated", "forbidden", "rate_limited"}


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for service, document in DOCUMENTS.items():
        for name, schema in document["components"]["schemas"].items():
            yield f"{service} {name}", schema


def says(text: object) -> bool:
    """True for a sentence; a title made of the field's own name is none."""
    return isinstance(text, str) and len(text.split()) >= 3


@pytest.mark.parametrize(("name", "schema"), list(schemas()), ids=[name for name, _ in schemas()])
def test_every_property_says_what_it_is(name: str, schema: dict[str, Any]) -> None:
    silent = [name for name, said in schema.get("properties", {}).items() if not says(said.get("description"))]
    assert silent == [], "write a text under the field, with its unit and range"


def bounds(said: dict[str, Any]) -> set[float]:
    """The least and the most of a number, as far as the schema has them; also of one that may be null."""
    kinds = [said, *said.get("anyOf", [])]
    keys = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    return {kind[key] for kind in kinds for key in keys if isinstance(kind.get(key), int | float)}


def numbers() -> Iterator[tuple[str, str, set[float]]]:
    """Every bounded number of a body or a parameter: its name, what is said of it, its bounds."""
    for service, document in DOCUMENTS.items():
        for name, schema in document["components"]["schemas"].items():
            for field, said in schema.get("properties", {}).items():
                if limits := bounds(said):
                    yield f"{service} {name}.{field}", said["description"], limits
    for one in ALL:
        for parameter in one.said.get("parameters", []):
            if limits := bounds(parameter["schema"]):
                yield f"{one.name} {parameter['name']}", parameter["description"], limits


LARGEST = 2**62
"""Beyond it a bound is that of the database's numbers, which nobody needs to be told."""


def test_every_bounded_number_says_its_range() -> None:
    silent = [
        (name, limit)
        for name, text, limits in numbers()
        for limit in limits
        if limit < LARGEST and f"{limit:,.10g}" not in text and f"2^{int(limit).bit_length() - 1}" not in text
    ]
    assert silent == []


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_every_parameter_says_what_it_is(one: Described) -> None:
    silent = [given["name"] for given in one.said.get("parameters", []) if not says(given.get("description"))]
    assert silent == [], "write a text under the field, or `description=` into Path, Query or Header"


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_every_operation_says_what_it_does_who_may_and_what_it_refuses(one: Described) -> None:
    assert one.said["summary"].lower().replace(" ", "_") == one.said["operationId"]
    assert says(one.said["description"])
    assert set(one.said["x-roles"]) == OPERATIONS[one.name].roles
    assert all(f"`{role}`" in one.said["description"] for role in one.said["x-roles"])
    assert one.codes() >= GENERAL
    named = {
        code
        for code in one.codes()
        for answer in one.said["responses"].values()
        if f"`{code}`:" in answer["description"]
    }
    assert named == one.codes()


def test_every_code_is_an_example_of_a_problem() -> None:
    for document in DOCUMENTS.values():
        examples = document["components"]["examples"]
        codes = {code for one in operations([document]) for code in one.codes()}
        assert codes == set(examples)
        problem = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
        for code, example in examples.items():
            Draft202012Validator(problem).validate(example["value"])
            assert (example["value"]["code"], says(example["summary"])) == (code, True)


def every(refusal: type[OtaError]) -> Iterator[type[OtaError]]:
    for below in refusal.__subclasses__():
        yield below
        yield from every(below)


def test_every_refusal_of_the_services_is_named_by_an_operation() -> None:
    ours = {one.code for one in every(OtaError) if one.__module__.startswith(("catalog_svc", "campaign_svc"))}
    assert ours <= {code for one in ALL for code in one.codes()}


def bodies(one: Described) -> list[Any]:
    """The examples of its request body, wherever they stand."""
    [content] = one.said["requestBody"]["content"].values()
    if "example" in content:
        return [content["example"]]
    schema = content["schema"]
    for option in (schema, *schema.get("anyOf", [])):
        if name := option.get("$ref", "").rpartition("/")[2]:
            return list(one.document["components"]["schemas"][name].get("examples", []))
    return []


WITH_BODY = [one for one in ALL if "requestBody" in one.said]


@pytest.mark.parametrize("one", WITH_BODY, ids=[one.name for one in WITH_BODY])
def test_every_request_body_has_an_example_of_its_form(one: Described) -> None:
    [content] = one.said["requestBody"]["content"].values()
    examples = bodies(one)
    assert examples
    for example in examples:
        whole = content["schema"] | {"components": one.document["components"]}
        Draft202012Validator(whole).validate(example)


class Site:
    """A tenant of its own in which what the examples name is there."""

    def __init__(self, world: World, tenant: str) -> None:
        self.world = world
        self.api = world.api.as_("admin", tenant)

    def example(self, name: str) -> Any:
        [one] = [one for one in ALL if one.name == name]
        return bodies(one)[0]

    async def firmware(self) -> int:
        return int((await self.api.post(FIRMWARE, self.example(f"POST {FIRMWARE}"), status=201))["id"])

    async def group(self) -> str:
        await self.api.post(f"{DEVICES}/bulk", self.example(f"POST {DEVICES}/bulk"))
        group = (await self.api.post(GROUPS, self.example(f"POST {GROUPS}"), status=201))["group_id"]
        await self.api.post(f"{GROUPS}/{group}/members", self.example(f"POST {GROUPS}/{{group_id}}/members"))
        return str(group)

    async def campaign(self, status: str = "CREATED") -> int:
        """Of the example, but for the firmware's number, which the database gives."""
        await self.group()
        new = self.example(f"POST {CAMPAIGNS}") | {"firmware_version_id": await self.firmware()}
        made = await self.api.post(CAMPAIGNS, new, status=201)
        if status != "CREATED":
            await self.api.post(f"{CAMPAIGNS}/{made['id']}/start")
        return int(made["id"])


async def at_firmware(site: Site) -> dict[str, object]:
    return {"firmware_id": await site.firmware()}


async def at_group(site: Site) -> dict[str, object]:
    return {"group_id": await site.group()}


async def at_campaign(site: Site) -> dict[str, object]:
    return {"campaign_id": await site.campaign()}


async def at_running(site: Site) -> dict[str, object]:
    return {"campaign_id": await site.campaign("RUNNING")}


async def at_gate(site: Site) -> dict[str, object]:
    campaign = await site.campaign("RUNNING")
    await site.world.stage(campaign, "AWAITING_APPROVAL")
    return {"campaign_id": campaign, "number": 0}


async def at_device(site: Site) -> dict[str, object]:
    return {
        "campaign_id": await site.campaign(),
        "device_id": site.example(f"POST {GROUPS}/{{group_id}}/members")["device_ids"][0],
    }


async def nowhere(_: Site) -> dict[str, object]:
    return {}


ARRANGED: dict[str, Callable[[Site], Awaitable[dict[str, object]]]] = {
    f"POST {FIRMWARE}/{{firmware_id}}/withdraw": at_firmware,
    f"POST {FIRMWARE}/{{firmware_id}}/check": at_firmware,
    f"PATCH {FIRMWARE}/{{firmware_id}}": at_firmware,
    f"POST {GROUPS}/{{group_id}}/members": at_group,
    f"POST {GROUPS}/{{group_id}}/members/remove": at_group,
    f"POST {CAMPAIGNS}/{{campaign_id}}/start": at_campaign,
    f"POST {CAMPAIGNS}/{{campaign_id}}/abort": at_campaign,
    f"PATCH {CAMPAIGNS}/{{campaign_id}}": at_campaign,
    f"POST {CAMPAIGNS}/{{campaign_id}}/pause": at_running,
    f"POST {CAMPAIGNS}/{{campaign_id}}/retry": at_running,
    f"POST {CAMPAIGNS}/{{campaign_id}}/devices/{{device_id}}/skip": at_device,
    f"POST {CAMPAIGNS}/{{campaign_id}}/stages/{{number}}/approve": at_gate,
}
"""What must be there for an example; for all others nothing."""


@pytest.mark.parametrize("one", WITH_BODY, ids=[one.name for one in WITH_BODY])
async def test_the_api_takes_every_example(world: World, one: Described) -> None:
    site = Site(world, f"tenant-{world.name()}")
    for example in bodies(one):
        if one.name == f"POST {CAMPAIGNS}":
            assert await site.campaign()
            continue
        path = one.path.format(**await ARRANGED.get(one.name, nowhere)(site))
        send = site.api.upload(path, example) if isinstance(example, str) else site.api.ask(one.method, path, example)
        answer = await send
        assert answer.status_code == OPERATIONS[one.name].status, answer.text
