"""MQTT: topics built and parsed in one place; the command and the report."""

import re
from datetime import datetime
from typing import Annotated

import msgspec

from pulse.contracts.names import is_name
from pulse.contracts.times import to_text

REPORT_FILTER = "tenant/+/device/+/ota/status"
COMMAND_TEMPLATE = "tenant/{tenant_id}/device/{device_id}/commands"
MAX_REPORT_BYTES = 8192
MAX_ERROR_CHARACTERS = 500

_REPORT_TOPIC = re.compile(r"^tenant/([^/]+)/device/([^/]+)/ota/status$")
_PLAIN_REPORT_TOPIC = re.compile(r"tenant/([A-Za-z0-9._:-]{1,128})/device/([A-Za-z0-9._:-]{1,128})/ota/status")
"""With names that need no second look; they are by far the most."""
_MARKER_TOPIC = re.compile(r"^pulse/ingest/(\d+)/marker$")


def command_topic(tenant_id: str, device_id: str, template: str = COMMAND_TEMPLATE) -> str:
    return template.format(tenant_id=tenant_id, device_id=device_id)


def report_topic(tenant_id: str, device_id: str) -> str:
    return f"tenant/{tenant_id}/device/{device_id}/ota/status"


def reporter(topic: str) -> tuple[str, str] | None:
    """Tenant and device of a report topic, or None for any other topic."""
    plain = _PLAIN_REPORT_TOPIC.fullmatch(topic)
    if plain is not None:
        return plain[1], plain[2]
    found = _REPORT_TOPIC.match(topic)
    if found is None or not (is_name(found[1]) and is_name(found[2])):
        return None
    return found[1], found[2]


def shared_reports(group: str) -> str:
    """The filter under which the members of a group share all reports."""
    return f"$share/{group}/{REPORT_FILTER}"


def marker_topic(ordinal: int) -> str:
    return f"pulse/ingest/{ordinal}/marker"


def marker_ordinal(topic: str) -> int | None:
    """The ingest ordinal of a marker topic, or None for any other topic."""
    found = _MARKER_TOPIC.match(topic)
    return int(found[1]) if found else None


def user_name(tenant_id: str, device_id: str) -> str:
    """A device's MQTT user name (or its certificate's common name): the broker's pattern ACL builds on it."""
    return f"{tenant_id}/device/{device_id}"


def owner(user: str) -> tuple[str, str] | None:
    """Tenant and device of a device's user name, or None for any other user."""
    parts = user.split("/")
    return (parts[0], parts[2]) if len(parts) == 3 and parts[1] == "device" and all(parts) else None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a device gets: download, check, install. `size` in bytes, `checksum` SHA-256 in lower-case hex."""

    type: str = "ota_update"
    """Always `ota_update`; leave alone what has another type."""
    campaign_id: int
    """Number of the campaign, from 1."""
    attempt: int
    """Number of the attempt, from 1; with campaign and device it names a command."""
    version: str
    """The firmware version to install, 1 to 100 characters; say it in the SUCCESS."""
    firmware_url: str
    """Where the file is, `http` or `https`."""
    size: int
    """Size of the file in bytes, from 1."""
    checksum: str
    """SHA-256 of the file, 64 lower-case hexadecimal digits."""
    issued_at: datetime
    """When the attempt was released; act only on a command with a later one than any before."""
    expires_at: datetime
    """Do not begin after this time."""

    def text(self) -> str:
        """The JSON that travels; made once per attempt, and never again."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        fields |= {"issued_at": to_text(self.issued_at), "expires_at": to_text(self.expires_at)}
        return msgspec.json.encode(fields).decode()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says; with `version` alone it is its presence. `status` and `progress` are checked by ingest."""

    campaign_id: int | None = None
    """That of the command, from 1; left out: the report only says which `version` runs (presence)."""
    status: str | None = None
    """`DOWNLOADING`, `INSTALLING`, `SUCCESS` or `FAILED`; needed with `campaign_id`."""
    progress: float | None = None
    """Percent of the present step, 0 to 100; anything else is left out of account."""
    error: str | None = None
    """What went wrong, for people; cut at 500 characters."""
    error_code: str | None = None
    """What went wrong, your own word, 1 to 64 of `a-z 0-9 _`; failures are counted by it."""
    version: str | None = None
    """The firmware version that runs now, one line of 1 to 100 characters."""
    attempt: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """That of the command, from 1; expected with `campaign_id`."""
