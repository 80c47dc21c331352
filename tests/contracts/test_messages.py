"""The messages are what the contract says, byte for byte: one golden file per type."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pulse.contracts import kafka
from pulse.contracts.kafka import (
    CampaignControl,
    DeviceStatusChanged,
    DispatchRequest,
    DispatchResult,
    Message,
    Outcome,
    Quarantined,
    bucket_burst,
    decoder,
    encode,
    request_partition,
    shards_of,
)
from pulse.contracts.mqtt import Command, Report, command_topic, marker_ordinal, marker_topic, report_topic, reporter
from pulse.contracts.names import is_name
from pulse.contracts.status import Status

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 13, 0, 0, 250, tzinfo=UTC)
COMMAND = Command(
    campaign_id=7,
    attempt=1,
    version="2.1.0",
    firmware_url="https://files.example.com/gw2-2.1.0.bin",
    size=123456,
    checksum="ab" * 32,
    issued_at=AT,
    expires_at=LATER,
)
MESSAGES: list[Message] = [
    DispatchRequest(
        tenant_id="acme",
        campaign_id=7,
        device_id="d1",
        attempt=1,
        epoch=3,
        bucket="7:0",
        bucket_rate=50.0,
        bucket_burst=10.0,
        not_after=LATER,
        expires_at=LATER,
        command=COMMAND.text(),
    ),
    DispatchResult(
        tenant_id="acme", campaign_id=7, device_id="d1", attempt=1, outcome=Outcome.NO_SUBSCRIBER, reason_code=16, at=AT
    ),
    CampaignControl(tenant_id="acme", campaign_id=7, epoch=3, status="RUNNING", at=AT),
    DeviceStatusChanged(
        tenant_id="acme",
        campaign_id=7,
        device_id="d1",
        attempt=1,
        stage=0,
        from_status=Status.DOWNLOADING,
        to_status=Status.FAILED,
        failures=1,
        error_code="device_error",
        at=LATER,
    ),
    Quarantined(
        source="mqtt:tenant/acme/device/d1/ota/status", reason="unreadable", detail="no JSON", payload="eA==", at=AT
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_its_golden_file_and_comes_back_equal(message: Message) -> None:
    golden = (GOLDEN / f"{type(message).__name__}.json").read_bytes().strip()
    assert encode(message) == golden
    assert decoder(type(message)).decode(golden) == message


def test_the_command_is_its_golden_file() -> None:
    assert COMMAND.text() == (GOLDEN / "Command.json").read_text(encoding="utf-8").strip()


def test_a_report_is_read_as_the_golden_file_says() -> None:
    report = msgspec.json.decode((GOLDEN / "Report.json").read_bytes(), type=Report)
    assert report == Report(
        campaign_id=7, status="FAILED", progress=40, error="flash", error_code="flash_write", version="2.1.0", attempt=1
    )


def test_unknown_fields_of_messages_are_ignored() -> None:
    golden = (GOLDEN / "CampaignControl.json").read_bytes().strip()
    more = golden[:-1] + b',"new_field":{"a":1}}'
    assert decoder(CampaignControl).decode(more) == decoder(CampaignControl).decode(golden)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", "0"),
        ("epoch", '"3"'),
        ("status", '"CREATED"'),
        ("tenant_id", '"a/b"'),
        ("tenant_id", '""'),
        ("at", '"2026-11-24T12:00:00"'),
    ],
)
def test_a_wrong_field_is_named(field: str, value: str) -> None:
    good = {
        "tenant_id": '"acme"',
        "campaign_id": "7",
        "epoch": "3",
        "status": '"RUNNING"',
        "at": '"2026-11-24T12:00:00Z"',
    }
    text = "{" + ",".join(f'"{k}":{v}' for k, v in (good | {field: value}).items()) + "}"
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
        decoder(CampaignControl).decode(text.encode())


def test_topics_of_devices_are_built_and_parsed_alike() -> None:
    assert command_topic("acme", "d1") == "tenant/acme/device/d1/commands"
    assert reporter(report_topic("acme", "d 1")) == ("acme", "d 1")
    assert reporter("tenant/acme/device/d1/commands") is None
    assert reporter("tenant/a/b/device/d1/ota/status") is None
    assert marker_ordinal(marker_topic(3)) == 3
    assert marker_ordinal("pulse/ingest/x/marker") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/b",
        "a+b",
        "a#",
        "a\0",
        "a\n",
        " a",
        "a ",
        "x" * 129,
        "a\x85b",
        "a\ufffe",
        "\ufdd0",
        "\U0001ffff",
        "\ud800",
    ],
)
def test_names_that_cannot_be_topic_levels_are_refused(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize("text", ["a", "7", "dévice-1_2:3", "a b", "x" * 128])
def test_other_names_are_good(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    ("per_second", "shards"), [(1 / 60, 1), (1, 1), (50, 1), (50.1, 2), (100, 2), (2000, 23), (10_000, 23)]
)
def test_a_fast_campaign_has_a_shard_per_fifty_a_second_up_to_the_partitions(per_second: float, shards: int) -> None:
    assert shards_of(per_second, 24) == shards


def test_slow_buckets_live_on_partition_0_and_fast_ones_spread_over_the_others() -> None:
    assert request_partition(7, 0, 0.5, 24) == 0
    assert {request_partition(7, shard, 50.0, 24) for shard in range(23)} == set(range(1, 24))
    assert request_partition(7, 5, 50.0, 2) == 1


def test_a_bucket_holds_at_least_one_token() -> None:
    assert bucket_burst(0.01, 0.2) == 1
    assert bucket_burst(50, 0.2) == 10


def test_the_topics_have_the_contracts_partitions() -> None:
    assert [(topic.name, topic.partitions) for topic in kafka.TOPICS] == [
        ("ota.dispatch-requests.v1", 24),
        ("ota.dispatch-results.v1", 12),
        ("ota.campaign-control.v1", 1),
        ("ota.device-status.v1", 12),
        ("ota.quarantine.v1", 1),
    ]
