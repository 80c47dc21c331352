"""What a device reads and writes agrees with the services' contracts, and nothing unreadable hurts it."""

from datetime import UTC, datetime

import msgspec
import pytest

from fleetsim.connection import Account
from fleetsim.wire import Report, command_topic, delivered, read_command, report_topic, write_report
from pulse.contracts import mqtt


def test_device_reads_the_command_that_the_services_write() -> None:
    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    text = mqtt.Command(
        campaign_id=7,
        attempt=2,
        version="2.0.0",
        firmware_url="http://127.0.0.1/a",
        size=5,
        checksum="ab",
        issued_at=moment,
        expires_at=moment,
    ).text()
    command = read_command(text.encode())
    assert command is not None
    assert (command.campaign_id, command.attempt, command.version) == (7, 2, "2.0.0")
    assert (command.issued_at, command.expires_at) == ("2026-11-24T12:00:00.000000Z", moment)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"type": "reboot"}', b'{"type": "ota_update", "campaign_id": "seven"}'],
)
def test_anything_else_is_no_command(payload: bytes) -> None:
    assert read_command(payload) is None


def test_services_read_the_report_that_a_device_writes() -> None:
    report = Report(7, "FAILED", error="no", error_code="install_failed", attempt=2)
    read = msgspec.json.decode(write_report(report), type=mqtt.Report)
    assert read == mqtt.Report(campaign_id=7, status="FAILED", error="no", error_code="install_failed", attempt=2)


def test_presence_is_the_version_alone() -> None:
    assert write_report(Report(version="2.0.0")) == b'{"version":"2.0.0"}'


def test_topics_and_user_name_are_those_of_the_services() -> None:
    assert command_topic("acme", "d1") == mqtt.command_topic("acme", "d1")
    assert report_topic("acme", "d1") == mqtt.report_topic("acme", "d1")
    assert Account("acme", "d1", "").user == mqtt.user_name("acme", "d1")


@pytest.mark.parametrize(("reason_code", "is_delivered"), [(0, True), (16, False), (128, False), (135, False)])
def test_only_a_plain_acknowledgement_counts_as_delivered(reason_code: int, is_delivered: bool) -> None:
    assert delivered(reason_code) is is_delivered
