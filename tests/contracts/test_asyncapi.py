"""The AsyncAPI that is committed is made of the message types, keeps to AsyncAPI 3.0, and fits the messages."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from local_stack import console
from local_stack.layout import ROOT
from pulse.contracts.kafka import DEVICE_STATUS, QUARANTINE, TOPICS
from tests.asyncapi import problems

EXPORT = runpy.run_path(str(ROOT / "deploy" / "asyncapi" / "export.py"))
COMMITTED: dict[str, Any] = yaml.safe_load(EXPORT["FILE"].read_text(encoding="utf-8"))
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
SPECIFICATION = console.FRONTEND / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


@pytest.mark.parametrize("file", [EXPORT["FILE"], EXPORT["PAGE"]], ids=["file", "page"])
def test_the_committed_asyncapi_is_made_of_the_message_types(file: Path) -> None:
    made = EXPORT["text"](EXPORT["document"]())
    assert file.read_text(encoding="utf-8") == made, "run `make openapi` and look at the difference"


def test_the_asyncapi_keeps_to_version_3_0() -> None:
    specification = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    found = sorted(Draft7Validator(specification).iter_errors(COMMITTED), key=str)
    assert [f"{list(error.absolute_path)}: {error.message[:200]}" for error in found] == []


def test_what_breaks_the_rules_of_version_3_0_is_found() -> None:
    specification = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    broken = COMMITTED | {"operations": {"sendNothing": {"channel": {"$ref": "#/channels/deviceStatus"}}}}
    assert not Draft7Validator(specification).is_valid(broken)


def test_every_reference_leads_somewhere() -> None:
    def references(part: object) -> set[str]:
        if isinstance(part, dict):
            found = {str(part["$ref"])} if "$ref" in part else set()
            return found.union(*map(references, part.values()))
        return set().union(*map(references, part)) if isinstance(part, list) else set()

    for reference in references(COMMITTED):
        place: Any = COMMITTED
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def test_every_topic_is_there_as_the_set_up_job_makes_it_and_says_whom_it_is_for() -> None:
    channels = {one["address"]: one for one in COMMITTED["channels"].values()}
    for topic in TOPICS:
        channel = channels[topic.name]
        bound = channel["bindings"]["kafka"]
        config = dict(topic.config)
        assert bound["partitions"] == topic.partitions
        assert str(bound["topicConfiguration"].get("retention.ms")) == config.get("retention.ms", "None")
        assert bound["topicConfiguration"]["cleanup.policy"] == [config.get("cleanup.policy", "delete")]
        public = topic in (DEVICE_STATUS, QUARANTINE)
        assert channel["tags"] == [{"name": "for customers" if public else "internal"}]
        [reference] = channel["messages"].values()
        message = COMMITTED["components"]["messages"][reference["$ref"].rpartition("/")[2]]
        assert message["bindings"]["kafka"]["key"]["description"]


@pytest.mark.parametrize("name", sorted(COMMITTED["components"]["schemas"]))
def test_every_field_of_a_message_says_what_it_is(name: str) -> None:
    fields = COMMITTED["components"]["schemas"][name].get("properties", {})
    silent = [field for field, said in fields.items() if len(said.get("description", "").split()) < 3]
    assert silent == [], "write a text under the field, with its unit and range"


@pytest.mark.parametrize("file", GOLDEN, ids=[file.stem for file in GOLDEN])
def test_every_golden_message_fits_its_schema(file: Path) -> None:
    assert problems(file.stem, json.loads(file.read_text(encoding="utf-8"))) == []


def test_the_examples_fit_their_schemas() -> None:
    messages = COMMITTED["components"]["messages"]
    with_examples = [name for name, message in messages.items() if "examples" in message]
    assert set(with_examples) >= {"DeviceStatusChanged", "Quarantined", "Command", "Report"}
    for name in with_examples:
        for example in messages[name]["examples"]:
            assert problems(name, example["payload"]) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("DeviceStatusChanged", {"to": "HALFWAY"}),
        ("DeviceStatusChanged", {"campaign_id": 0}),
        ("DeviceStatusChanged", {"at": "yesterday"}),
        ("Quarantined", {"reason": "sad"}),
        ("DispatchRequest", {"attempt": 0}),
        ("CampaignControl", {"status": "CREATED"}),
    ],
)
def test_a_message_that_is_none_does_not_fit(name: str, change: dict[str, object]) -> None:
    golden = json.loads((Path(__file__).parent / "golden" / f"{name}.json").read_text(encoding="utf-8"))
    assert problems(name, golden | change)
