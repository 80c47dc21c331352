"""What devices and dispatchers send, and what is made of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.contracts.status import Event, Heard
from status_ingest_svc.reading import (
    MAX_BIGINT,
    Campaign,
    Presence,
    Refused,
    Said,
    of_campaign,
    read_report,
    read_result,
)

TOPIC = "tenant/acme/device/d1/ota/status"
CAMPAIGN = Campaign("acme", "2.0", 3)


def report(**fields: object) -> Said:
    return read_report(TOPIC, json.dumps(fields).encode()).said


def accepted(**fields: object) -> Heard:
    said = report(campaign_id=7, **fields)
    assert isinstance(said, Heard), said
    return said


def test_who_a_device_is_comes_from_the_topic() -> None:
    said = accepted(status="DOWNLOADING", attempt=2, progress=40, tenant_id="globex", device_id="d9")
    assert said == Heard("acme", 7, "d1", 2, Event.DOWNLOADING, progress=40)


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (100, 100), (40.9, 40), (-1, None), (100.5, None), (None, None)])
def test_progress_outside_a_percentage_is_left_out(given: float | None, kept: int | None) -> None:
    assert accepted(status="DOWNLOADING", progress=given).progress == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("flash_full", "flash_full"),
        (None, "device_error"),
        ("", "device_error"),
        ("Flash full!", "device_error"),
        ("x" * 65, "device_error"),
        ("broken\n", "device_error"),
    ],
)
def test_a_failure_has_a_code_in_any_case(given: str | None, kept: str) -> None:
    assert accepted(status="FAILED", error_code=given).error_code == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"cut \\ud83d", "cut \ufffd"),
        (b"\\udE00 is the other half", "\ufffd is the other half"),
        (b"\\ud83d\\ud83d\\ude00\\ude00", "\ufffd\U0001f600\ufffd"),
        (b"C:\\\\ud83d \\ud83d\\n", "C:\\ud83d \ufffd\n"),
    ],
)
def test_half_a_character_in_an_error_does_not_cost_the_report(written: bytes, kept: str) -> None:
    payload = b'{"campaign_id":7,"status":"FAILED","attempt":2,"error":"%s"}' % written
    said = read_report(TOPIC, payload).said
    assert said == Heard("acme", 7, "d1", 2, Event.FAILED, error_code="device_error", error_message=kept)


def test_an_error_is_cut_and_rid_of_what_the_database_cannot_keep() -> None:
    assert accepted(status="FAILED", error="a\0b" + "c" * 600).error_message == "a\ufffdb" + "c" * 497
    assert accepted(status="DOWNLOADING", error="not now").error_message is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "unreadable"),
        (b"not json", "unreadable"),
        (b"\xff\xfe", "unreadable"),
        (b'{"error":"\xff"}', "unreadable"),
        (b'{"error":"\\ud800"}', "unreadable"),
        (b'{"version":"1.\\ud800"}', "unreadable"),
        (b'{"campaign_id":7,"status":"SUCCESS\\ud800"}', "unknown_status"),
        (b'{"campaign_id":7,"status":"SUCCESS","error":"\\ud800}', "unreadable"),
        (b"[]", "unreadable"),
        (b"{}", "unreadable"),
        (b'{"version":""}', "unreadable"),
        (b'{"version":"1.9\\u0000"}', "unreadable"),
        (b'{"version":" "}', "unreadable"),
        (b'{"version":"1.9\\n"}', "unreadable"),
        (b'{"version":"' + b"1" * 101 + b'"}', "unreadable"),
        (b'{"campaign_id":"7","status":"SUCCESS"}', "unreadable"),
        (b'{"campaign_id":7,"status":"SUCCESS","attempt":0}', "unreadable"),
        (b'{"campaign_id":7,"status":"SUCCESS","progress":1e999}', "unreadable"),
        (b'{"x":' * 1_500, "unreadable"),
        (b'{"campaign_id":7}', "unknown_status"),
        (b'{"campaign_id":7,"status":"QUEUED"}', "unknown_status"),
        (b'{"campaign_id":7,"status":"success"}', "unknown_status"),
        (b'{"campaign_id":99999999999999999999,"status":"SUCCESS"}', "unknown_campaign"),
        (b'{"campaign_id":-1,"status":"SUCCESS"}', "unknown_campaign"),
        (b'{"version":"' + b"1" * 8_192 + b'"}', "too_large"),
    ],
)
def test_what_cannot_be_taken_has_a_reason(payload: bytes, reason: str) -> None:
    said = read_report(TOPIC, payload).said
    assert isinstance(said, Refused)
    assert said.reason == reason
    assert (said.device is not None) == (reason in {"unknown_status", "unknown_campaign"}), "who is readable was heard"


def test_a_topic_without_a_device_is_refused() -> None:
    said = read_report("tenant/acme/device/ d1/ota/status", b'{"version":"1"}').said
    assert isinstance(said, Refused)
    assert said.reason == "unknown_device"


def test_a_version_alone_is_presence() -> None:
    assert report(version="1.9") == Presence(("acme", "d1"), "1.9")
    assert report(version="1" * 100) == Presence(("acme", "d1"), "1" * 100)


@pytest.mark.parametrize("version", ["2.0", None])
def test_success_counts_for_the_campaigns_version(version: str | None) -> None:
    said = of_campaign(accepted(status="SUCCESS", version=version, attempt=1), CAMPAIGN)
    assert isinstance(said, Heard)
    assert said.event is Event.SUCCESS


def test_success_on_another_version_is_a_failure() -> None:
    said = of_campaign(accepted(status="SUCCESS", version="1.0", attempt=1), CAMPAIGN)
    assert isinstance(said, Heard)
    assert (said.event, said.error_code) == (Event.FAILED, "version_mismatch")
    assert said.error_message == "the device runs 1.0 in place of 2.0"


def test_success_on_what_is_no_version_is_a_failure_too() -> None:
    payload = b'{"campaign_id":7,"status":"SUCCESS","attempt":1,"version":"\\ud800"}'
    heard = read_report(TOPIC, payload).said
    assert isinstance(heard, Heard)
    said = of_campaign(heard, CAMPAIGN)
    assert isinstance(said, Heard)
    assert (said.event, said.error_code) == (Event.FAILED, "version_mismatch")
    assert said.error_message == "the device runs \ufffd in place of 2.0"


@pytest.mark.parametrize("campaign", [None, Campaign("globex", "2.0", 3)])
def test_a_campaign_of_nobody_or_of_another_tenant_is_unknown(campaign: Campaign | None) -> None:
    said = of_campaign(accepted(status="SUCCESS"), campaign)
    assert isinstance(said, Refused)
    assert (said.reason, said.device) == ("unknown_campaign", ("acme", "d1"))


def test_a_dispatchers_refusal_becomes_the_rows_error() -> None:
    said = read_result(
        "results/0/1",
        b'{"tenant_id":"acme","campaign_id":7,"device_id":"d1","attempt":1,"outcome":"REFUSED","reason_code":135,'
        b'"at":"2026-11-24T11:27:00.000000Z"}',
    ).said
    assert isinstance(said, Heard)
    assert (said.event, said.error_code) == (Event.REFUSED, "broker_refused_135")


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"outcome":"LOST"}', b"\xff", b'{"x":' * 1_500])
def test_an_unreadable_result_is_refused(payload: bytes) -> None:
    said = read_result("results/0/1", payload).said
    assert isinstance(said, Refused)
    assert said.reason == "unreadable"


TEXT = st.text(max_size=600)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "campaign_id": st.integers() | TEXT,
        "status": st.sampled_from(["DOWNLOADING", "INSTALLING", "SUCCESS", "FAILED"]) | TEXT,
        "progress": st.floats() | st.integers(),
        "error": TEXT,
        "error_code": TEXT,
        "version": TEXT,
        "attempt": st.integers(),
    },
)


@given(FIELDS.map(lambda fields: json.dumps(fields).encode()) | st.binary(max_size=200))
def test_whatever_comes_in_the_database_can_take_what_goes_on(payload: bytes) -> None:
    said = read_report(TOPIC, payload).said
    if isinstance(said, Heard):
        said = of_campaign(said, CAMPAIGN)
    match said:
        case Heard():
            assert 0 < said.campaign_id <= MAX_BIGINT
            assert said.attempt is None or 0 < said.attempt <= MAX_BIGINT
            assert said.progress is None or 0 <= said.progress <= 100
            texts = [said.error_message, said.error_code]
        case Presence():
            texts = [said.version]
        case Refused():
            texts = []
    for text in texts:
        if text is not None:
            assert b"\0" not in text.encode()
            assert len(text) <= 500
