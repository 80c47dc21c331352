"""A device's row in a campaign as the API speaks of it."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pulse.contracts.status import Status, Wait
from pulse.runtime.rest import Listed, Page, Text, Timestamp

SkipReason = Literal[
    "aborted", "already_on_version", "wrong_device_type", "unknown_device", "superseded", "deadline", "excluded"
]


class DeviceRow(BaseModel):
    """One device of a campaign. SKIPPED with attempt 0 was never commanded; with a higher one it may have been.

    `skip_reason` is `already_on_version`, `wrong_device_type` or `unknown_device` (not registered any more) when that
    was found at the campaign's creation or at the device's turn, `excluded` when an operator took the device out.
    """

    device_id: str
    stage: int
    status: Status
    attempt: int
    failures: int
    progress_pct: int
    error_code: str | None
    error_message: str | None
    skip_reason: SkipReason | None
    wait: Literal["retry", "offline", "refused"] | None
    next_attempt_at: Timestamp | None
    queued_at: Timestamp | None
    dispatched_at: Timestamp | None
    started_at: Timestamp | None
    last_report_at: Timestamp | None
    completed_at: Timestamp | None
    created_at: Timestamp


class FailedAttempt(BaseModel):
    """An attempt that failed: when that was noticed, and what the device or the system said of it."""

    attempt: int
    failed_at: Timestamp
    error_code: str
    error_message: str | None


class DeviceUpdate(DeviceRow):
    """The same, in a device's own history, with every attempt that failed, newest first.

    `failures` starts again when an operator has the device tried again; `failed_attempts` keeps what was before.
    """

    campaign_id: int
    version: str
    failed_attempts: list[FailedAttempt]


class DeviceRowFilter(Page):
    """Which devices of a campaign; `search` looks in device ids, `error_code` is that of the last failed attempt.

    `wait`: those that are held back for this, whose status is PENDING.
    """

    status: Status | None = None
    search: Annotated[Text | None, Field(max_length=200)] = None
    error_code: Annotated[Text | None, Field(max_length=64)] = None
    wait: Wait | None = None


class DeviceRowList(Listed):
    """A page of a campaign's devices, by device id."""

    devices: list[DeviceRow]
