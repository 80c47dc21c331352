"""What travels: commands read as a device may read them, reports written as the broker's other side expects them.

Told apart from the services' own types on purpose: this is how a device maker would write it from the documentation.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

ReportStatus = Literal["DOWNLOADING", "INSTALLING", "SUCCESS", "FAILED"]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Command(msgspec.Struct, frozen=True):
    """An update to do. `size` in bytes, `checksum` SHA-256 in hex; `issued_at` is kept as the text that is compared."""

    type: Literal["ota_update"]
    campaign_id: int
    attempt: int
    version: str
    firmware_url: str
    size: int
    checksum: str
    issued_at: str
    expires_at: Time


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device says of its update (`progress` in percent); with `version` alone, only what it runs."""

    campaign_id: int | None = None
    status: ReportStatus | None = None
    progress: int | None = None
    error: str | None = None
    error_code: str | None = None
    version: str | None = None
    attempt: int | None = None


_commands = msgspec.json.Decoder(Command)


def read_command(payload: bytes) -> Command | None:
    """The command in a message, or None when it is not one that this device understands."""
    try:
        return _commands.decode(payload)
    except msgspec.DecodeError:
        return None


def write_report(report: Report) -> bytes:
    """JSON without the fields that are not set."""
    return msgspec.json.encode(report)


def command_topic(tenant_id: str, device_id: str) -> str:
    return f"tenant/{tenant_id}/device/{device_id}/commands"


def report_topic(tenant_id: str, device_id: str) -> str:
    return f"tenant/{tenant_id}/device/{device_id}/ota/status"


def delivered(reason_code: int) -> bool:
    """Whether a PUBACK says that somebody has the report; 16 (no subscriber) and 128 up (refused) do not."""
    return reason_code < 0x10
