"""Campaigns as the API answers."""

from typing import Any, Literal

from campaign_svc.campaigns.campaign_requests import TargetOf
from pulse.contracts.addresses import AddressWarningCode
from pulse.contracts.status import CampaignStatus, Status
from pulse.runtime.rest import Answer, Listed, Timestamp

StageStatus = Literal["WAITING", "RUNNING", "SOAKING", "AWAITING_APPROVAL", "FAILED", "PASSED"]
ReasonCode = Literal[
    "operator", "abort_ratio", "abort_sequential", "gate_failed", "firmware_withdrawn", "restored", "nobody_updated"
]


class RetryAccepted(Answer):
    """How many devices are tried again."""

    accepted: int
    """Number of devices that are tried again."""


class Stage(Answer):
    """A stage with its gate and what its devices are at; `approved_by` an approver: the gate is open from then on."""

    number: int
    """Number of the stage, from 0."""
    name: str
    """Name of the stage, for people: one line of 1 to 200 characters."""
    share: float | None
    """Share of all devices that could be updated at the creation, over 0 to 1; null where `count` is given, and in the
    last stage."""
    count: int | None
    """Number of devices that the stage was to have; null where `share` is given, and in the last stage."""
    rollout_rate: int
    """Devices that are commanded per minute in this stage, 1 to 600,000."""
    soak_seconds: int
    """For how many seconds the gate's condition must have held before it opens, 0 to 604,800 (a week)."""
    min_success: float
    """Share of the stage's devices that must have succeeded before its gate opens, 0 to 1."""
    approval: bool
    """True: the gate also waits for an approver."""
    status: StageStatus
    """`WAITING`: not its turn yet. `RUNNING`: its devices are commanded. `SOAKING`: its gate's condition holds, for
    `soak_seconds`. `AWAITING_APPROVAL`: an approver is asked. `FAILED`: too few can succeed, the campaign was paused.
    `PASSED`."""
    total: int
    """Devices in the stage, SKIPPED ones included."""
    status_breakdown: dict[Status, int]
    """Number of devices by status; all eight statuses are there."""
    soak_until: Timestamp | None
    """When the soak time ends, RFC 3339 in UTC; null before it has begun."""
    approved_by: str | None
    """Who approved the gate: the `sub` of the token; null where nobody has."""
    approved_at: Timestamp | None
    """When it was approved, RFC 3339 in UTC; null where nobody has."""
    needed: int | None
    """Updated devices at which the gate is reached, 0 or more; null: there is no gate."""
    stuck_since: Timestamp | None
    """Since when the gate cannot open by itself, RFC 3339 in UTC: each device has had its turn, and too few would be
    updated without those that are offline or that the broker refuses. Null: it can. Known within 5 seconds."""


class StatusReason(Answer):
    """Why the campaign has its status: by whom (None: the system), or by which rule on what evidence."""

    code: ReasonCode
    """`operator`: a person did it. `abort_ratio`, `abort_sequential`: the abort rule. `gate_failed`: too few devices of
    a stage succeeded. `firmware_withdrawn`: the version was withdrawn. `restored`: the database is an older state from
    a backup. `nobody_updated`: it is COMPLETED without one success."""
    detail: str | None
    """The person's reason, or the rule's evidence in words; null where none was given."""
    by: str | None
    """The `sub` of the person's token; null: the system."""
    at: Timestamp
    """When, RFC 3339 in UTC."""


class FirmwareWithdrawal(Answer):
    """Since when a campaign's firmware version is withdrawn: it can neither start nor go on."""

    at: Timestamp
    """When it was withdrawn, RFC 3339 in UTC."""
    by: str | None
    """Who withdrew it: the `sub` of the token."""
    reason: str | None
    """Why, in the words of who withdrew it."""


class FailureReason(Answer):
    """How many devices have failures and this last error code, and are not (yet) SUCCESS or SKIPPED."""

    error_code: str
    """What the device said (1 to 64 of `a-z 0-9 _`), or one of the system's: `device_error`, `version_mismatch`,
    `timeout`, `no_response`, `broker_refused_<reason code>`."""
    devices: int
    """Number of devices, from 1; in the overview a device counts once for each failed attempt."""


class HeldBack(Answer):
    """How many PENDING devices are held back, by what for; others wait for their turn or another campaign.

    `offline`: nobody took the command; sent again after a pause that grows to an hour, or once the device is heard.
    `refused`: the broker refused it; sent again after such a pause. `retry`: an attempt failed; another one follows.
    `next_attempt_at` of a device's row says when.
    """

    offline: int
    """Devices that nobody took the command for."""
    refused: int
    """Devices whose command the broker refused."""
    retry: int
    """Devices with a failed attempt that wait for the next one."""


class Campaign(Answer):
    """A campaign. `total_devices` contains the SKIPPED; `abort_at`: the failures at which it would stop now.

    `actual_rate`: commands per minute, over the last minute or since the last control change; null before the start.
    `eta`: when, at this pace and with the gates' least times, all devices will have been commanded; null when none
    waits or nothing moves. `reasons`: the most frequent first, at most 20.
    """

    id: int
    """Number of the campaign, from 1, unique over all tenants."""
    name: str
    """Name of the campaign, for people."""
    firmware_version_id: int
    """Number (`id`) of the firmware version that it rolls out."""
    firmware_version: str
    """The firmware's version, as devices report it."""
    firmware_device_type: str | None
    """The device type that the firmware is for; null: any."""
    target_group_id: str | None
    """Id of the device group whose members at the creation are its devices; null with `target_of`."""
    target_of: TargetOf | None
    """The campaign whose devices were aimed at; null with a group."""
    rollout_strategy: Literal["linear", "canary"]
    """`linear`: one stage with all devices. `canary`: small stages with gates first."""
    rollout_rate: int
    """Devices that are commanded per minute where a stage has no rate of its own, 1 to 600,000."""
    abort_threshold: float
    """Share of devices that may fail before the campaign stops by itself, 0 to 1; see `abort_rule`."""
    abort_rule: Literal["ratio", "sequential"]
    """`ratio`: stops when failed / (succeeded + failed) is over the threshold. `sequential`: a statistical test of all
    commanded devices, see `abort_confidence`."""
    abort_min_devices: int
    """For the rule `ratio`: so many devices must have finished before it may stop the campaign, 1 to 100,000,000."""
    abort_confidence: float
    """For the rule `sequential`: how sure it must be that too many devices fail, 0.5 to 0.9999. A good firmware is
    stopped with a probability of at most 1 minus this."""
    max_attempts: int
    """How many attempts of a device may fail before it is FAILED, 1 to 10. Being offline is no failed attempt."""
    attempt_timeout_seconds: int
    """Seconds that an attempt may take from the command to the device's last report, 10 to 604,800 (a week); then it
    has failed."""
    max_in_flight: int | None
    """At most so many devices are at work at once, 1 to 1,000,000; null: no limit but the rate."""
    ramp_start: int | None
    """At first at most so many devices are at work at once, 1 to 1,000,000; null: no ramp."""
    ramp_factor: float
    """With `ramp_start`: so many more devices may be at work for each success, 0 to 10."""
    end_at: Timestamp | None
    """From then on nothing new is begun and waiting devices are skipped, RFC 3339 in UTC; null: no end."""
    status: CampaignStatus
    """`CREATED`: never started. `RUNNING`. `PAUSED`: sends nothing. `COMPLETED`: all devices have finished. `ABORTED`:
    ended for good."""
    epoch: int
    """Counts control changes (start, pause, rate, abort and others), from 0; it only grows."""
    total_devices: int
    """Devices in the campaign, SKIPPED ones included."""
    succeeded: int
    """Devices with status SUCCESS."""
    failed: int
    """Devices with status FAILED."""
    status_breakdown: dict[Status, int]
    """Number of devices by status; all eight statuses are there."""
    waiting: HeldBack
    """PENDING devices that are held back, by what for."""
    current_stage: int
    """Number of the stage whose turn it is, from 0."""
    stages: list[Stage]
    """Its stages in their order, the last one without a gate."""
    dispatched_devices: int
    """Devices that were commanded at least once."""
    failing_devices: int
    """Of these, the ones that have failed an attempt and are not (yet) SUCCESS or SKIPPED."""
    e_value: float | None
    """For the rule `sequential`: how much likelier what was seen is if too many devices fail than if not, from 0; at 1
    / (1 - `abort_confidence`) it stops. Null for `ratio`."""
    abort_at: int | None
    """Number of failures at which the rule would stop the campaign now; null where no number would."""
    actual_rate: float | None
    """Commands per minute over the last minute, or since the last control change; null before the start."""
    eta: Timestamp | None
    """When all devices will have been commanded at this pace, RFC 3339 in UTC; null when none waits or nothing moves.
    """
    reasons: list[FailureReason]
    """Why devices fail: the most frequent error codes first, at most 20."""
    status_reason: StatusReason | None
    """Why the campaign has its status; null where nothing but its start or end is the reason."""
    firmware_withdrawal: FirmwareWithdrawal | None
    """Of the campaign's firmware version; null: it can be rolled out."""
    created_at: Timestamp
    """When it was created, RFC 3339 in UTC."""
    created_by: str
    """Who created it: the `sub` of the token."""
    started_at: Timestamp | None
    """When it was first started, RFC 3339 in UTC; null before."""
    completed_at: Timestamp | None
    """When its last device had finished, RFC 3339 in UTC; null before. An ABORTED campaign may have some at work."""


class PreviewStage(Answer):
    """A stage as it would be; skipped devices are part of the last one."""

    name: str
    """Name of the stage."""
    total: int
    """Number of devices in it, from 0."""


class PreviewWarning(Answer):
    """Something to look at before the campaign is created; none of it is a refusal."""

    code: AddressWarningCode
    """What the firmware's address answered when it was asked last, as in the version's `address`."""
    detail: str
    """A sentence for a person."""
    checked_at: Timestamp | None
    """When the address was asked last, RFC 3339 in UTC; null: never."""


class Preview(Answer):
    """What a campaign would do if it were created now.

    `busy_elsewhere`: those of `would_update` that another campaign has at work; they wait for it.
    `estimated_seconds`: to command all at the stages' rates, with their soak times; offline devices, approvals and
    limits in flight come on top. `bytes`: what the devices download in all.
    """

    would_update: int
    """Number of devices that would be commanded."""
    skipped: dict[Literal["already_on_version", "wrong_device_type"], int]
    """Number of devices that would be skipped, by reason."""
    busy_elsewhere: int
    """Of `would_update`, those that another campaign has at work; they wait for it."""
    stages: list[PreviewStage]
    """The stages as they would be, in their order."""
    estimated_seconds: int
    """Seconds to command all devices, soak times included, from 0."""
    bytes: int
    """Bytes that the devices would download in all."""
    warnings: list[PreviewWarning]
    """Empty: the file is where devices will look for it."""


class ControlledCampaign(Campaign):
    """After a control change: whether every dispatcher can know it by now (`announced`) or will (`pending`)."""

    control: Literal["announced", "pending"] | None
    """`announced`: every dispatcher can know the change. `pending`: saved, and announced until they do (status 202).
    Null: nothing changed."""


class CampaignList(Listed):
    """A page of campaigns, newest first."""

    campaigns: list[Campaign]
    """The campaigns of this page, newest first."""


class TimelineEntry(Answer):
    """Something that happened to the campaign; `by` None: the system itself."""

    at: Timestamp
    """When, RFC 3339 in UTC."""
    epoch: int
    """The campaign's `epoch` after it, from 0."""
    event: str
    """What happened: `created`, `started`, `paused`, `resumed`, `rate_changed`, `retried`, `reopened`, `approved`,
    `stage_started`, `gate_passed`, `completed`, `aborted` and others."""
    by: str | None
    """The `sub` of the person's token; null: the system itself."""
    reason: str | None
    """The person's reason, or the rule's in words; null where there is none."""
    detail: dict[str, Any]
    """Numbers and names that belong to the event, such as `stage` or `devices`; may be empty."""


class Timeline(Answer):
    """All that happened, oldest first."""

    entries: list[TimelineEntry]
    """All entries, oldest first."""
