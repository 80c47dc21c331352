"""The tenant's present as the API speaks of it: what waits for a person, what runs, what the field is like."""

from typing import Literal

from campaign_svc.campaigns.campaign_requests import FirmwareId
from campaign_svc.campaigns.campaign_schemas import Campaign, FailureReason
from pulse.contracts.status import CampaignStatus
from pulse.runtime.rest import Answer, Body, Timestamp

Why = Literal[
    "approval", "gate_stuck", "gate_failed", "gate_passed", "aborted", "firmware_withdrawn", "restored", "slow"
]


class Waiting(Answer):
    """A campaign that waits for a person.

    `approval`: a gate asks for it. `gate_stuck`: a gate cannot open by itself for now, since too few devices would be
    updated without those that are offline or that the broker refuses; an approver may open it with a reason.
    `gate_failed`, `firmware_withdrawn`, `restored`: paused by that. `gate_passed`: an approver let it pass the gate
    that failed, and it has not been resumed. `aborted`: by its own rule, within the last three days. `slow`: it could
    send, and has been below 80 % of its rate for a minute or more.
    """

    campaign_id: int
    """Number of the campaign."""
    name: str
    """Name of the campaign."""
    why: Why
    """What it waits for."""
    since: Timestamp
    """Since when, RFC 3339 in UTC."""
    detail: str | None
    """The reason in words; null where there is none."""


class VersionCount(Answer):
    """How many devices of a type run a version; null: not known."""

    device_type: str
    """The device type."""
    version: str | None
    """The firmware version; null: not known."""
    devices: int
    """Number of devices, from 1."""


class Overview(Answer):
    """At one glance.

    `waiting`: the longest first, at most 100. `running`: the newest 20. `versions`: the largest 100. `failures`: of the
    last 24 hours (to the hour), the most frequent 20; a device counts as often as an attempt of it failed.
    `heard_last_hour`: devices heard in the last hour (to five minutes).
    """

    waiting: list[Waiting]
    """Campaigns that wait for a person, the longest first, at most 100."""
    running: list[Campaign]
    """Campaigns that run, the newest 20."""
    versions: list[VersionCount]
    """How many devices run which version, the largest 100."""
    failures: list[FailureReason]
    """Why attempts failed in the last 24 hours (to the hour), the most frequent 20."""
    devices_total: int
    """Devices of the tenant."""
    heard_last_hour: int
    """Devices of which a message came in the last hour (to five minutes)."""


class UsageFilter(Body):
    """Which firmware version."""

    firmware_version_id: FirmwareId
    """Number of the firmware version, from 1."""


class UsingCampaign(Answer):
    """A campaign that has not ended and rolls the version out."""

    id: int
    """Number of the campaign."""
    name: str
    """Name of the campaign."""
    status: CampaignStatus
    """`CREATED`, `RUNNING` or `PAUSED`."""


class FirmwareUsage(Answer):
    """Devices that run the version now, and campaigns that have not ended with it, the newest 200."""

    devices: int
    """Number of devices that run the version now."""
    campaigns: list[UsingCampaign]
    """Campaigns that have not ended with it, the newest 200."""
