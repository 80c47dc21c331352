"""The OpenAPI that is committed is the one that the services have, and says what clients rely on."""

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest

from local_stack.layout import ROOT

FOLDER = ROOT / "deploy" / "openapi"
EXPORT = runpy.run_path(str(FOLDER / "export.py"))
DOCUMENTS: dict[str, dict[str, Any]] = EXPORT["documents"]()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for document in DOCUMENTS.values():
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_the_committed_openapi_is_the_services_own(name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert committed == EXPORT["text"](DOCUMENTS[name]), "run `make openapi` and look at the difference"


def test_the_pages_openapi_is_both_services_own() -> None:
    committed = EXPORT["PAGE"].read_text(encoding="utf-8")
    assert committed == EXPORT["text"](EXPORT["merged"](DOCUMENTS)), "run `make openapi` and look at the difference"


def test_the_pages_openapi_has_every_path_and_schema_of_both() -> None:
    page = EXPORT["merged"](DOCUMENTS)
    assert len(page["paths"]) == sum(len(document["paths"]) for document in DOCUMENTS.values())
    for document in DOCUMENTS.values():
        assert document["paths"].items() <= page["paths"].items()
        for kind, parts in document["components"].items():
            assert parts.items() <= page["components"][kind].items()
    ids = [operation["operationId"] for path in page["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    tags = {tag for path in page["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert tags == {tag["name"] for tag in page["tags"]}


def test_a_name_that_means_two_things_is_refused() -> None:
    mine = {"openapi": "3.1.0", "paths": {}, "components": {"schemas": {"Campaign": {"type": "object"}}}}
    theirs = mine | {"components": {"schemas": {"Campaign": {"type": "string"}}}}
    with pytest.raises(ValueError, match="Campaign means two things"):
        EXPORT["merged"]({"mine": mine, "theirs": theirs})


def test_the_pages_references_all_lead_somewhere() -> None:
    page = EXPORT["merged"](DOCUMENTS)
    references = set(re.findall(r'"\$ref": "#/components/(\w+)/([^"]+)"', json.dumps(page)))
    assert references
    assert [(kind, name) for kind, name in references if name not in page["components"].get(kind, {})] == []


@pytest.mark.parametrize(("name", "operation"), list(operations()), ids=[name for name, _ in operations()])
def test_every_operation_needs_a_token_and_says_its_problems(name: str, operation: dict[str, Any]) -> None:
    assert operation["security"] == [{"HTTPBearer": []}]
    assert "application/problem+json" in operation["responses"]["4XX"]["content"]
    assert operation["operationId"]
    assert operation["description"]


def test_the_contracts_paths_are_there() -> None:
    names = {name for name, _ in operations()}
    assert {
        "POST /customer/firmware",
        "GET /customer/firmware",
        "GET /customer/firmware/{firmware_id}",
        "PATCH /customer/firmware/{firmware_id}",
        "POST /customer/firmware/{firmware_id}/check",
        "POST /customer/firmware/check/address",
        "POST /customer/firmware/{firmware_id}/withdraw",
        "POST /customer/devices",
        "POST /customer/devices/bulk",
        "GET /customer/devices",
        "GET /customer/devices/{device_id}",
        "DELETE /customer/devices/{device_id}",
        "POST /customer/device-groups",
        "GET /customer/device-groups",
        "GET /customer/device-groups/{group_id}",
        "DELETE /customer/device-groups/{group_id}",
        "POST /customer/device-groups/{group_id}/members",
        "POST /customer/device-groups/{group_id}/members/remove",
        "GET /customer/device-groups/{group_id}/members",
        "POST /customer/ota/campaigns",
        "GET /customer/ota/campaigns",
        "GET /customer/ota/campaigns/{campaign_id}",
        "DELETE /customer/ota/campaigns/{campaign_id}",
        "PATCH /customer/ota/campaigns/{campaign_id}",
        "POST /customer/ota/campaigns/{campaign_id}/start",
        "POST /customer/ota/campaigns/{campaign_id}/pause",
        "POST /customer/ota/campaigns/{campaign_id}/abort",
        "GET /customer/ota/campaigns/{campaign_id}/devices",
        "GET /customer/ota/campaigns/{campaign_id}/timeline",
        "POST /customer/ota/campaigns/{campaign_id}/retry",
        "POST /customer/ota/campaigns/{campaign_id}/stages/{number}/approve",
        "POST /customer/devices/import",
    } <= names
