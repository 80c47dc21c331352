"""A device's row in a campaign as the API speaks of it."""

from typing import Annotated, Literal

from pydantic import Field

from pulse.contracts.status import Status, Wait
from pulse.runtime.rest import Answer, Listed, Page, Text, Timestamp

SkipReason = Literal[
    "aborted", "already_on_version", "wrong_device_type", "unknown_device", "superseded", "deadline", "excluded"
]


class DeviceRow(Answer):
    """One device of a campaign. SKIPPED with attempt 0 was never commanded; with a higher one it may have been."""

    device_id: str
    """Id of the device."""
    stage: int
    """Number of its stage in the campaign, from 0."""
    status: Status
    """Status of the device in this campaign."""
    attempt: int
    """Number of the newest attempt, from 1; 0: never released for a command."""
    failures: int
    """Failed attempts since the start, or since an operator had it tried again, from 0."""
    progress_pct: int
    """What the device reported of its present attempt, in percent, 0 to 100."""
    error_code: str | None
    """Code of the last failure or refusal, as in `reasons` of a Campaign; null where there was none, and on SUCCESS."""
    error_message: str | None
    """The device's own words on it, up to 500 characters; null where it had none."""
    skip_reason: SkipReason | None
    """Why it is SKIPPED: `already_on_version`, `wrong_device_type`, `unknown_device` (not registered any more), as
    found at the creation or at the device's turn, `superseded` (a campaign started later has updated it), `deadline`
    (`end_at` is past), `aborted`, `excluded` (an operator took it out). Null for any other status."""
    wait: Literal["retry", "offline", "refused"] | None
    """What a PENDING device is held back for: `retry` (an attempt failed), `offline` (nobody took the command),
    `refused` (by the broker). Null: nothing holds it back."""
    next_attempt_at: Timestamp | None
    """Not tried before this time, RFC 3339 in UTC; null: no pause."""
    queued_at: Timestamp | None
    """When its newest attempt was released for a command, RFC 3339 in UTC; null before."""
    dispatched_at: Timestamp | None
    """When the broker took its newest command, RFC 3339 in UTC; null before."""
    started_at: Timestamp | None
    """When it first said in an attempt that it downloads or installs, RFC 3339 in UTC; null before."""
    last_report_at: Timestamp | None
    """When its last report that counted for this campaign came in, RFC 3339 in UTC; null before."""
    completed_at: Timestamp | None
    """When it became SUCCESS, FAILED or SKIPPED, RFC 3339 in UTC; null before."""
    created_at: Timestamp
    """When the campaign was created, RFC 3339 in UTC."""


class FailedAttempt(Answer):
    """An attempt that failed: when that was noticed, and what the device or the system said of it."""

    attempt: int
    """Number of the attempt, from 1."""
    failed_at: Timestamp
    """When that was noticed, RFC 3339 in UTC."""
    error_code: str
    """What the device said, or one of the system's codes, as in `reasons` of a Campaign."""
    error_message: str | None
    """The device's own words, up to 500 characters; null where it had none."""


class DeviceUpdate(DeviceRow):
    """The same, in a device's own history, with every attempt that failed, newest first.

    `failures` starts again when an operator has the device tried again; `failed_attempts` keeps what was before.
    """

    campaign_id: int
    """Number of the campaign."""
    version: str
    """The firmware version that the campaign rolls out."""
    failed_attempts: list[FailedAttempt]
    """Every attempt that failed, newest first."""


class DeviceRowFilter(Page):
    """Which devices of a campaign; `search` looks in device ids, `error_code` is that of the last failed attempt.

    `wait`: those that are held back for this, whose status is PENDING.
    """

    status: Status | None = None
    """Only devices with this status."""
    search: Annotated[Text | None, Field(max_length=200)] = None
    """Only devices with this text in their id, in upper or lower case; up to 200 characters."""
    error_code: Annotated[Text | None, Field(max_length=64)] = None
    """Only devices whose last failed attempt has this code; up to 64 characters."""
    wait: Wait | None = None
    """Only PENDING devices that are held back for this."""


class DeviceRowList(Listed):
    """A page of a campaign's devices, by device id."""

    devices: list[DeviceRow]
    """The devices of this page, by device id."""
