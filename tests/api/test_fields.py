"""A wrong request is answered with the field that has to change, also where several fields do not fit together."""

from collections.abc import Iterator
from typing import Any

import pytest

from pulse.runtime.rest import Body
from tests.api.world import CAMPAIGNS, DEVICES, World

CANARY = {"rollout_strategy": "canary"}
STAGE = {"name": "a", "share": 0.1}
WRONG: dict[tuple[str, str], list[tuple[dict[str, Any], str]]] = {
    ("NewCampaign", "stages_of_a_canary"): [
        ({"stages": [STAGE]}, "stages"),
        ({"stages": [STAGE], "rollout_strategy": "linear"}, "stages"),
        (CANARY | {"stages": [STAGE | {"share": 0.6}] * 2}, "stages"),
    ],
    ("NewStage", "one_size"): [
        (CANARY | {"stages": [STAGE, {"name": "b"}]}, "stages.1.share"),
        (CANARY | {"stages": [STAGE | {"count": 3}]}, "stages.0.share"),
    ],
}
"""Every validator that looks at several fields of a request, by its form: what it refuses, and which field it names."""
ELSEWHERE = {("FirmwareChange", "of_what_may_change")}
"""Tried with the rest of what may change of a version: tests/catalog_svc/test_firmware_change.py."""


def _forms(of: type[Body] = Body) -> Iterator[type[Body]]:
    for form in of.__subclasses__():
        yield form
        yield from _forms(form)


def test_every_rule_over_several_fields_is_tried_here() -> None:
    rules = {(form.__name__, rule) for form in _forms() for rule in form.__pydantic_decorators__.model_validators}
    assert rules == set(WRONG) | ELSEWHERE


@pytest.mark.parametrize(("more", "field"), [case for cases in WRONG.values() for case in cases])
async def test_a_rule_over_several_fields_names_the_one_that_has_to_change(
    world: World, more: dict[str, Any], field: str
) -> None:
    body = await world.new_campaign() | more
    for preview in ("", "?preview=true"):
        answer = await world.api.ask("POST", f"{CAMPAIGNS}{preview}", body)
        problem = answer.json()
        assert (answer.status_code, [error["field"] for error in problem["errors"]]) == (422, [field])
        assert problem["detail"] == f"{field}: {problem['errors'][0]['detail']}"


@pytest.mark.parametrize("value", [[1], {"a": 1}, "x" * 501, "a\0"])
async def test_an_attribute_that_is_none_of_what_it_may_be_is_named_once(world: World, value: object) -> None:
    device = {"device_id": world.name(), "device_type": "gw2", "attributes": {"site": value, "floor": 3}}
    assert await world.api.refused("POST", DEVICES, device) == (422, "invalid", ["attributes.site"])
    bulk = {"devices": [device | {"attributes": {}}, device]}
    assert await world.api.refused("POST", f"{DEVICES}/bulk", bulk) == (422, "invalid", ["devices.1.attributes.site"])


@pytest.mark.parametrize("written", [4102444800, "4102444800", 4102444800000, 4.5e9, True, "2226-11-24"])
async def test_a_time_is_rfc_3339_text_and_never_a_number(world: World, written: object) -> None:
    answer = await world.api.ask("POST", CAMPAIGNS, await world.new_campaign(end_at=written))
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "end_at")
    assert error["detail"] == "a time as RFC 3339 text with its offset, such as 2026-11-30T18:00:00Z"


@pytest.mark.parametrize(
    "written", ["2226-11-24T12:00:00Z", "2226-11-24t12:00:00.5z", "2226-11-24T14:00:00.000000+02:00"]
)
async def test_every_way_that_rfc_3339_writes_a_time_is_taken(world: World, written: str) -> None:
    made = await world.api.post(CAMPAIGNS, await world.new_campaign(end_at=written), status=201)
    assert made["end_at"].startswith("2226-11-24T12:00:00")
