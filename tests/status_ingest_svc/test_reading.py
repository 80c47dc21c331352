"""What devices and dispatchers send, and what is made of it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
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
        (b'{"campaign_id":7,"status":"SUCCESS","attempt":-1.0}', "unreadable"),
        (b'{"campaign_id":7,"status":"SUCCESS","attempt":true}', "unreadable"),
        (b'{"campaign_id":7,"status":"SUCCESS","attempt":1.5}', "unreadable"),
        (b'{"campaign_id":true,"status":"SUCCESS","attempt":1}', "unreadable"),
        (b'{"campaign_id":7.5,"status":"SUCCESS","attempt":1}', "unreadable"),
        (b'{"campaign_id":1e999,"status":"SUCCESS","attempt":1}', "unreadable"),
        (b'{"campaign_id":7,"status":"SUCCESS"}\0\0', "unreadable"),
        (b'{"campaign_id":7,"status":1}', "unknown_status"),
        (b'{"version":2.1}', "unreadable"),
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
    assert said.device == ("acme", "d1"), "whatever it says, it is there"


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
    assert said.error_message == "the device runs \ufffd, which is no version"
    assert said.version is None


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


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ('"error_code":17', {"error_code": "17"}),
        ('"error_code":17.0', {"error_code": "17"}),
        ('"error_code":-5', {}),
        ('"error_code":["flash_full"]', {}),
        ('"error_code":"Flash full!"', {}),
        ('"error":{"a": 1}', {"error_message": '{"a": 1}'}),
        ('"error":-5', {"error_message": "-5"}),
        ('"error":false', {"error_message": "false"}),
        ('"error":{"cut": "\\ud83d"}', {"error_message": '{"cut": "\ufffd"}'}),
        ('"progress":"55"', {"progress": 55}),
        ('"progress":" 55.9"', {"progress": 55}),
        ('"progress":"half"', {}),
        ('"progress":true', {}),
        ('"progress":1e999', {}),
        ('"progress":NaN', {}),
        ('"progress":101', {}),
        ('"version":2.1', {}),
        ('"version":["2.1"]', {}),
        ('"version":""', {}),
        ('"version":"1.9\\u0000"', {}),
    ],
)
def test_a_failure_counts_whatever_its_optional_fields_are(field: str, kept: dict[str, Any]) -> None:
    payload = f'{{"campaign_id":7,"attempt":2,"status":"FAILED",{field}}}'
    message = read_report(TOPIC, payload.encode())
    expected = Heard("acme", 7, "d1", 2, Event.FAILED, error_code="device_error")
    assert message.said == expected._replace(**kept)
    assert message.mended == (field[1:].split('"', maxsplit=1)[0],), "what was put right is counted"


@pytest.mark.parametrize("number", ["7", "7.0", "7e0", "70e-1"])
def test_a_whole_number_is_one_however_it_is_written(number: str) -> None:
    payload = f'{{"campaign_id":{number},"attempt":{number},"status":"INSTALLING"}}'
    assert read_report(TOPIC, payload.encode()).said == Heard("acme", 7, "d1", 7, Event.INSTALLING)


@pytest.mark.parametrize(
    "frame", [b"%s\0", b"\xef\xbb\xbf%s", b"\xef\xbb\xbf %s\r\n\0", b" \n%s\n", b"\x0b%s\x0c", b"%s\0\n"]
)
def test_what_stands_around_the_json_does_not_cost_the_report(frame: bytes) -> None:
    inner = b'{"campaign_id":7,"attempt":1,"status":"SUCCESS","version":"2.0"}'
    said = read_report(TOPIC, frame % inner).said
    assert said == Heard("acme", 7, "d1", 1, Event.SUCCESS, version="2.0")
    assert read_report(TOPIC, frame % b'{"version":"2.0"}').said == Presence(("acme", "d1"), "2.0")


def test_a_line_break_in_an_error_does_not_cost_the_report() -> None:
    message = read_report(TOPIC, b'{"campaign_id":7,"status":"FAILED","attempt":2,"error":"line\n\ttwo"}')
    expected = Heard("acme", 7, "d1", 2, Event.FAILED, error_code="device_error", error_message="line\n\ttwo")
    assert (message.said, message.mended) == (expected, ("frame",))


def test_an_error_cut_within_a_character_does_not_cost_the_report() -> None:
    payload = b'{"campaign_id":7,"status":"FAILED","attempt":2,"error":"zu gro\xc3","version":"1.\xc3"}'
    message = read_report(TOPIC, payload)
    expected = Heard("acme", 7, "d1", 2, Event.FAILED, error_code="device_error", error_message="zu gro\ufffd")
    assert message.said == expected, "and a version that was cut is nobody's"


@pytest.mark.parametrize(
    ("version", "words"),
    [("2.0", "2.0"), ('["2.0"]', '["2.0"]'), ('""', ""), ('" "', ""), ("2", "2"), (f'"{"2" * 101}"', "2" * 101)],
)
def test_a_success_whose_version_cannot_be_read_is_not_taken_for_the_campaigns(version: str, words: str) -> None:
    payload = f'{{"campaign_id":7,"attempt":1,"status":"SUCCESS","version":{version}}}'
    message = read_report(TOPIC, payload.encode())
    assert isinstance(message.said, Heard)
    said = of_campaign(message.said, CAMPAIGN)
    assert isinstance(said, Heard)
    assert (said.event, said.error_code, said.version) == (Event.FAILED, "version_mismatch", None)
    assert said.error_message == f"the device runs {words}, which is no version"
    assert message.mended == ("version",)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "EXPLODED", "campaign_id": 7}, "unknown_status"),
        ({"status": "SUCCESS", "campaign_id": -1}, "unknown_campaign"),
    ],
)
def test_what_is_refused_still_says_which_version_the_device_runs(fields: dict[str, object], reason: str) -> None:
    said = report(version="1.9", **fields)
    assert isinstance(said, Refused)
    assert (said.reason, said.device, said.version) == (reason, ("acme", "d1"), "1.9")
    of_nobody = of_campaign(accepted(status="SUCCESS", version="1.9"), None)
    assert isinstance(of_nobody, Refused)
    assert of_nobody.version == "1.9"


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(st.text(max_size=5), SCALAR, max_size=3)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {"campaign_id": st.just(7), "status": st.sampled_from(["DOWNLOADING", "INSTALLING", "FAILED"])},
        optional=dict.fromkeys(("progress", "error", "error_code", "version", "temperature"), ANYTHING),
    )
)
def test_campaign_attempt_and_status_decide_whatever_else_a_report_says(fields: dict[str, object]) -> None:
    said = accepted(**{name: value for name, value in fields.items() if name != "campaign_id"}, attempt=3)
    assert (said.campaign_id, said.attempt, said.event) == (7, 3, fields["status"])


TEXT = st.text(max_size=600)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "campaign_id": st.integers() | TEXT,
        "status": st.sampled_from(["DOWNLOADING", "INSTALLING", "SUCCESS", "FAILED"]) | TEXT,
        "progress": st.floats() | st.integers() | TEXT,
        "error": TEXT | st.lists(TEXT, max_size=3) | st.floats(),
        "error_code": TEXT | st.integers(),
        "version": TEXT | st.floats(),
        "attempt": st.integers() | st.floats(),
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
            texts = [said.error_message, said.error_code, said.version]
        case Presence():
            texts = [said.version]
        case Refused():
            texts = []
    for text in texts:
        if text is not None:
            assert b"\0" not in text.encode()
            assert len(text) <= 500
