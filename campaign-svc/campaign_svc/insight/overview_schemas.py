"""The tenant's present as the API speaks of it: what waits for a person, what runs, what the field is like."""

from typing import Literal

from pydantic import BaseModel

from campaign_svc.campaigns.campaign_schemas import Campaign, FailureReason, FirmwareId
from pulse.contracts.status import CampaignStatus
from pulse.runtime.rest import Body, Timestamp

Why = Literal[
    "approval", "gate_stuck", "gate_failed", "gate_passed", "aborted", "firmware_withdrawn", "restored", "slow"
]


class Waiting(BaseModel):
    """A campaign that waits for a person.

    `approval`: a gate asks for it. `gate_stuck`: a gate cannot open by itself for now, since too few devices would be
    updated without those that are offline or that the broker refuses; an approver may open it with a reason.
    `gate_failed`, `firmware_withdrawn`, `restored`: paused by that. `gate_passed`: an approver let it pass the gate
    that failed, and it has not been resumed. `aborted`: by its own rule, within the last three days. `slow`: it could
    send, and has been below 80 % of its rate for a minute or more.
    """

    campaign_id: int
    name: str
    why: Why
    since: Timestamp
    detail: str | None


class VersionCount(BaseModel):
    """How many devices of a type run a version; null: not known."""

    device_type: str
    version: str | None
    devices: int


class Overview(BaseModel):
    """At one glance.

    `waiting`: the longest first, at most 100. `running`: the newest 20. `versions`: the largest 100. `failures`: of the
    last 24 hours (to the hour), the most frequent 20; a device counts as often as an attempt of it failed.
    `heard_last_hour`: devices heard in the last hour (to five minutes).
    """

    waiting: list[Waiting]
    running: list[Campaign]
    versions: list[VersionCount]
    failures: list[FailureReason]
    devices_total: int
    heard_last_hour: int


class UsageFilter(Body):
    """Which firmware version."""

    firmware_version_id: FirmwareId


class UsingCampaign(BaseModel):
    """A campaign that has not ended and rolls the version out."""

    id: int
    name: str
    status: CampaignStatus


class FirmwareUsage(BaseModel):
    """Devices that run the version now, and campaigns that have not ended with it, the newest 200."""

    devices: int
    campaigns: list[UsingCampaign]
