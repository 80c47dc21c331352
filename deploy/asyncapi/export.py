"""Writes the AsyncAPI of all messages beside this file, and where the gateway serves it: `make openapi`.

Its schemas are the message types themselves: of Kafka and MQTT those of `pulse.contracts`, of the event streams
those of the API. A test fails where the file is not theirs.
"""

import ast
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from campaign_svc.campaigns.campaign_schemas import Campaign
from campaign_svc.insight.streams_schemas import Beat, CampaignChanges
from pulse.contracts import kafka, mqtt
from pulse.contracts.kafka import Message, Topic
from pulse.contracts.status import Status

FILE = Path(__file__).with_name("pulse-ota.yaml")
PAGE = Path(__file__).parents[2] / "frontend" / "docs" / "public" / "asyncapi.yaml"
"""What the gateway serves as `/docs/asyncapi.yaml`."""
AT = datetime(2026, 11, 24, 12, 0, 0, 250, tzinfo=UTC)
TEMPLATE = "#/components/schemas/{name}"
DEVICE = "`tenant_id:device_id`: what concerns a device is in one partition."
TOPICS: tuple[tuple[str, Topic, type[Message], str, str, bool], ...] = (
    (
        "deviceStatus",
        kafka.DEVICE_STATUS,
        kafka.DeviceStatusChanged,
        DEVICE,
        "Changes of devices' status that devices and dispatchers have brought about, for your own consumers.",
        True,
    ),
    (
        "quarantine",
        kafka.QUARANTINE,
        kafka.Quarantined,
        "The record's `source`.",
        "Messages that could not be taken, with the reason, for your own consumers.",
        True,
    ),
    (
        "dispatchRequests",
        kafka.REQUESTS,
        kafka.DispatchRequest,
        "`campaign_id:shard`, the bucket that paces the request.",
        "Internal: campaign-svc asks the dispatchers for commands. Reading it is allowed, writing is not.",
        False,
    ),
    (
        "dispatchResults",
        kafka.RESULTS,
        kafka.DispatchResult,
        DEVICE,
        "Internal: dispatchers tell ingest what became of requests. Reading it is allowed, writing is not.",
        False,
    ),
    (
        "campaignControl",
        kafka.CONTROL,
        kafka.CampaignControl,
        "`campaign_id`.",
        "Internal: campaign-svc tells every dispatcher what a campaign is at. Reading it is allowed, writing is not.",
        False,
    ),
)
"""Channel, topic, message, what the key is, what it is for, and whether it is meant for customers."""
EXAMPLES: dict[str, dict[str, Any]] = {
    "DeviceStatusChanged": msgspec.json.decode(
        kafka.encode(
            kafka.DeviceStatusChanged(
                tenant_id="acme",
                campaign_id=7,
                device_id="gw2-0017",
                attempt=1,
                stage=0,
                from_status=Status.DOWNLOADING,
                to_status=Status.INSTALLING,
                failures=0,
                at=AT,
            )
        )
    ),
    "Quarantined": msgspec.json.decode(
        kafka.encode(
            kafka.Quarantined(
                source="mqtt:tenant/acme/device/gw2-0017/ota/status",
                reason="unreadable",
                detail="JSON is malformed: invalid character (byte 0)",
                payload="bm90IEpTT04=",
                at=AT,
            )
        )
    ),
    "Command": msgspec.json.decode(
        mqtt.Command(
            campaign_id=7,
            attempt=1,
            version="2.1.0",
            firmware_url="https://files.example.com/gw2-2.1.0.bin",
            size=1048576,
            checksum="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            issued_at=AT,
            expires_at=AT.replace(hour=13),
        ).text()
    ),
    "Report": {"campaign_id": 7, "attempt": 1, "status": "DOWNLOADING", "progress": 40},
}
PARAMETERS = {
    "tenant_id": {"description": "Id of the tenant, 1 to 128 characters."},
    "device_id": {"description": "Id of the device, 1 to 128 characters, unique within its tenant."},
}
STREAMS: tuple[tuple[str, str, str, tuple[type[BaseModel], ...]], ...] = (
    (
        "campaignEvents",
        "/customer/ota/campaigns/{campaign_id}/events",
        "Server-sent events of one campaign: `campaign` at once, then at most once a second; `beat` every two seconds.",
        (Campaign, Beat),
    ),
    (
        "tenantEvents",
        "/customer/ota/events",
        "Server-sent events of a tenant: `campaigns` at once, then at most once a second; `beat` every two seconds.",
        (CampaignChanges, Beat),
    ),
)
EVENTS = {"Campaign": "campaign", "CampaignChanges": "campaigns", "Beat": "beat"}


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 of everything that is not a request and its answer."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Pulse OTA",
            "version": "1",
            "description": "Messages and events. Consumers must ignore fields that they do not know: new ones may come"
            " within a version. A break makes a new topic.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {"host": "kafka.example.com:9092", "protocol": "kafka", "description": "Your Kafka."},
            "mqtt": {"host": "mqtt.example.com:8883", "protocol": "secure-mqtt", "description": "Your MQTT broker."},
            "gateway": {"host": "ota.example.com", "protocol": "https", "description": "The gateway of the API."},
        },
        "channels": {**_topics(), **_device_channels(), **_streams()},
        "operations": {**_topic_operations(), **_other_operations()},
        "components": {"messages": _messages(), "schemas": schemas()},
    }


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/{kind}/{name}"}


def _topics() -> dict[str, Any]:
    return {
        channel: {
            "address": topic.name,
            "description": text,
            "servers": [_ref("servers", "kafka")],
            "messages": {kind.__name__: _ref("components/messages", kind.__name__)},
            "tags": [{"name": "for customers" if is_public else "internal"}],
            "bindings": {
                "kafka": {
                    "topic": topic.name,
                    "partitions": topic.partitions,
                    "topicConfiguration": _configuration(topic),
                    "bindingVersion": "0.5.0",
                }
            },
        }
        for channel, topic, kind, _, text, is_public in TOPICS
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """As the set-up job makes it; AsyncAPI's own binding has a word for these two alone."""
    given = dict(topic.config)
    known: dict[str, Any] = {"cleanup.policy": [given.get("cleanup.policy", "delete")]}
    return known | ({"retention.ms": int(given["retention.ms"])} if "retention.ms" in given else {})


def _device_channels() -> dict[str, Any]:
    def channel(address: str, message: str, text: str) -> dict[str, Any]:
        return {
            "address": address,
            "description": text,
            "servers": [_ref("servers", "mqtt")],
            "parameters": PARAMETERS,
            "messages": {message: _ref("components/messages", message)},
            "tags": [{"name": "for devices"}],
        }

    commands = mqtt.COMMAND_TEMPLATE
    reports = mqtt.report_topic("{tenant_id}", "{device_id}")
    return {
        "commands": channel(commands, "Command", "What a device must do; `COMMAND_TEMPLATE` may give another address."),
        "reports": channel(reports, "Report", "What a device says of its update, or which version it runs."),
    }


def _streams() -> dict[str, Any]:
    number = {"campaign_id": {"description": "Number of the campaign, from 1."}}
    return {
        channel: {
            "address": address,
            "description": text,
            "servers": [_ref("servers", "gateway")],
            **({"parameters": number} if "{" in address else {}),
            "messages": {kind.__name__: _ref("components/messages", kind.__name__) for kind in kinds},
            "tags": [{"name": "for customers"}],
        }
        for channel, address, text, kinds in STREAMS
    }


def _topic_operations() -> dict[str, Any]:
    return {
        f"send{channel[0].upper()}{channel[1:]}": {
            "action": "send",
            "channel": _ref("channels", channel),
            "summary": text,
        }
        for channel, _, _, _, text, _ in TOPICS
    }


def _other_operations() -> dict[str, Any]:
    quality = {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}}
    told = {
        f"send{channel[0].upper()}{channel[1:]}": {
            "action": "send",
            "channel": _ref("channels", channel),
            "summary": text,
        }
        for channel, _, text, _ in STREAMS
    }
    return {
        "sendCommand": {
            "action": "send",
            "channel": _ref("channels", "commands"),
            "summary": "A dispatcher commands an update.",
            "bindings": quality,
        },
        "receiveReport": {
            "action": "receive",
            "channel": _ref("channels", "reports"),
            "summary": "A device reports.",
            "bindings": {"mqtt": {"qos": 1, "bindingVersion": "0.2.0"}},
        },
        **told,
    }


def _messages() -> dict[str, Any]:
    keyed = {kind.__name__: key for _, _, kind, key, _, _ in TOPICS}
    kinds: list[type[Any]] = [*(kind for _, _, kind, *_ in TOPICS), mqtt.Command, mqtt.Report]
    kinds += [Campaign, CampaignChanges, Beat]
    return {kind.__name__: _message(kind, keyed.get(kind.__name__)) for kind in kinds}


def _message(kind: type[Any], key: str | None) -> dict[str, Any]:
    name = kind.__name__
    message: dict[str, Any] = {"name": EVENTS.get(name, name), "summary": inspect.cleandoc(kind.__doc__ or "")}
    message["payload"] = _ref("components/schemas", name)
    if key is not None:
        bound = {"type": "string", "description": key}
        message["bindings"] = {"kafka": {"key": bound, "bindingVersion": "0.5.0"}}
        trace = {"type": "string", "description": "W3C trace context, where tracing is on."}
        message["headers"] = {"type": "object", "properties": {"traceparent": trace}}
    if name in EXAMPLES:
        message["examples"] = [{"payload": EXAMPLES[name]}]
    return message


def schemas() -> dict[str, Any]:
    """The JSON schema of every message and of what they are made of, each field described."""
    structs: list[type[msgspec.Struct]] = [*(kind for _, _, kind, *_ in TOPICS), mqtt.Command, mqtt.Report]
    _, found = msgspec.json.schema_components(structs, ref_template=TEMPLATE)
    for kind in structs:
        _describe(found[kind.__name__], kind)
    models = [(model, "serialization") for model in (Campaign, CampaignChanges, Beat)]
    _, answers = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return dict(sorted((answers["$defs"] | found).items()))


def _describe(schema: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """The text under a field becomes its description."""
    encoded = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    for field, text in _texts(kind):
        if field in encoded:
            schema["properties"][encoded[field]]["description"] = text


def _texts(kind: type[Any]) -> Iterator[tuple[str, str]]:
    [found] = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(found, ast.ClassDef)
    for field, below in zip(found.body, found.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())


class _Plain(yaml.SafeDumper):
    """No anchors: readers find each thing where it stands."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def text(written: dict[str, Any]) -> str:
    head = "# Made by `make openapi` from pulse.contracts and the API's own types: change those, not this file.\n"
    return head + yaml.dump(written, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    for file in (FILE, PAGE):
        file.write_text(text(document()), encoding="utf-8")
