"""What a device or a dispatcher said: bytes in, a value out; nothing here waits, and no input makes it fail."""

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import msgspec

from pulse.contracts.kafka import UNREADABLE, DispatchResult, QuarantineReason, decoder
from pulse.contracts.mqtt import MAX_ERROR_CHARACTERS, MAX_REPORT_BYTES, Report, reporter
from pulse.contracts.names import is_name, is_version
from pulse.contracts.status import REPORTS, Event, Heard
from status_ingest_svc.mending import mend

Device: TypeAlias = tuple[str, str]
"""Tenant and device id."""

MAX_BIGINT = 2**63 - 1
UNSPECIFIED = 128
"""MQTT reason code of a refusal without a reason."""
MISMATCH = "version_mismatch"

_reports = msgspec.json.Decoder(Report)
_results = decoder(DispatchResult)
_EVENTS = {event.value: event for event in REPORTS}
_ERROR_CODE = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Campaign:
    """What never changes of a campaign; `version` is the firmware's."""

    tenant_id: str
    version: str
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Presence:
    """A device says which version it runs, outside any campaign."""

    device: Device
    version: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that cannot be taken, and why.

    `device` is whom its topic names: it was heard all the same, and runs `version` where it has said so.
    """

    reason: QuarantineReason
    detail: str
    device: Device | None = None
    version: str | None = None


Said: TypeAlias = Heard | Presence | Refused


class Message(NamedTuple):
    """One message and what it says; `source` as in the quarantine record, `mended` names what had to be put right."""

    source: str
    payload: bytes
    said: Said
    mended: tuple[str, ...] = ()


def read_report(topic: str, payload: bytes) -> Message:
    """A device's message. Who it is comes from the topic, never from the payload."""
    source, device = f"mqtt:{topic}", reporter(topic)
    if device is None:
        return Message(source, payload, Refused("unknown_device", "the topic does not name a device"))
    if len(payload) > MAX_REPORT_BYTES:
        detail = f"{len(payload)} bytes, at most {MAX_REPORT_BYTES} are taken"
        return Message(source, payload, Refused("too_large", detail, device))
    try:
        report, mended = _decoded(payload)
    except (*UNREADABLE, ValueError) as error:
        return Message(source, payload, Refused("unreadable", _text(str(error)), device))
    said = _presence(device, report) if report.campaign_id is None else _progress(device, report.campaign_id, report)
    left_out = _left_out(report)
    if not (mended or left_out) or isinstance(said, Refused):
        return Message(source, payload, said)
    return Message(source, payload, said, tuple({*mended, *left_out}))


def read_result(source: str, payload: bytes) -> Message:
    """A dispatcher's message."""
    return Message(source, payload, _result(payload))


def kind(said: Said) -> str:
    """What was said, as metrics call it."""
    match said:
        case Heard():
            return said.event.value
        case Presence():
            return "presence"
        case Refused():
            return said.reason


def of_campaign(heard: Heard, campaign: Campaign | None) -> Heard | Refused:
    """The same in the light of its campaign: SUCCESS on another version than the campaign's is a failure."""
    if campaign is None or campaign.tenant_id != heard.tenant_id:
        device = (heard.tenant_id, heard.device_id)
        return Refused("unknown_campaign", f"no campaign {heard.campaign_id} of this tenant", device, heard.version)
    if heard.event is not Event.SUCCESS or heard.version is None or heard.version == campaign.version:
        return heard
    detail = _text(f"the device runs {heard.version} in place of {campaign.version}")
    return heard._replace(event=Event.FAILED, error_code=MISMATCH, error_message=detail)


def _decoded(payload: bytes) -> tuple[Report, tuple[str, ...]]:
    """The report, and what had to be mended. Raises one of UNREADABLE or ValueError."""
    try:
        return _reports.decode(payload), ()
    except UNREADABLE:
        return mend(payload)


def _presence(device: Device, report: Report) -> Presence | Refused:
    """A version that no firmware can have is refused: cut or mended, it would be one that nobody said."""
    if report.version is None:
        return Refused("unreadable", "neither campaign_id nor version", device)
    if not is_version(report.version):
        return Refused("unreadable", f"no firmware has the version {_text(report.version)!r}", device)
    return Presence(device, report.version)


def _progress(device: Device, campaign_id: int, report: Report) -> Heard | Refused:
    version = report.version if report.version is not None and is_version(report.version) else None
    event = _EVENTS.get(report.status or "")
    if event is None:
        return Refused("unknown_status", f"status {_text(str(report.status))!r}", device, version)
    if not 0 < campaign_id <= MAX_BIGINT:
        return Refused("unknown_campaign", f"no campaign {campaign_id} of this tenant", device, version)
    failed = event is Event.FAILED
    heard = Heard(
        tenant_id=device[0],
        campaign_id=campaign_id,
        device_id=device[1],
        attempt=_attempt(report.attempt),
        event=event,
        progress=_percent(report.progress),
        error_code=_error_code(report.error_code) if failed else None,
        error_message=_text(report.error) if failed and report.error else None,
        version=version,
    )
    if event is Event.SUCCESS and version is None and report.version is not None:
        return _unbelieved(heard, report.version)
    return heard


def _unbelieved(heard: Heard, version: str) -> Heard:
    """A success that names a version which none can be: to take it for the campaign's would be a guess, and final."""
    detail = _text(f"the device runs {version.strip()}, which is no version")
    return heard._replace(event=Event.FAILED, error_code=MISMATCH, error_message=detail)


def _left_out(report: Report) -> tuple[str, ...]:
    """Optional fields that are not kept, since their value is none that they may have."""
    fields: tuple[str, ...] = ()
    if report.version is not None and not is_version(report.version):
        fields += ("version",)
    if report.progress is not None and not 0 <= report.progress <= 100:
        fields += ("progress",)
    if report.error_code is not None and not _ERROR_CODE.fullmatch(report.error_code):
        fields += ("error_code",)
    return fields


def _result(payload: bytes) -> Heard | Refused:
    try:
        result = _results.decode(payload)
    except UNREADABLE as error:
        return Refused("unreadable", str(error))
    if not (is_name(result.tenant_id) and is_name(result.device_id)):
        return Refused("unreadable", "tenant_id or device_id is not a name")
    if result.campaign_id > MAX_BIGINT:
        return Refused("unknown_campaign", f"no campaign {result.campaign_id}")
    refused = result.outcome.value == Event.REFUSED.value
    return Heard(
        tenant_id=result.tenant_id,
        campaign_id=result.campaign_id,
        device_id=result.device_id,
        attempt=_attempt(result.attempt),
        event=Event(result.outcome.value),
        error_code=f"broker_refused_{result.reason_code or UNSPECIFIED}" if refused else None,
        reason_code=result.reason_code,
    )


def _attempt(number: int | None) -> int | None:
    """No row has an attempt beyond the column's range: which of those it is does not matter."""
    return None if number is None else min(number, MAX_BIGINT)


def _percent(progress: float | None) -> int | None:
    return int(progress) if progress is not None and 0 <= progress <= 100 else None


def _error_code(code: str | None) -> str:
    return code if code is not None and _ERROR_CODE.fullmatch(code) else "device_error"


def _text(text: str) -> str:
    """PostgreSQL cannot keep a NUL: the replacement character stands for it."""
    return text.replace("\0", "\ufffd")[:MAX_ERROR_CHARACTERS]
