"""Campaigns as the API speaks of them."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pulse.contracts.addresses import AddressWarningCode
from pulse.contracts.names import Name
from pulse.contracts.status import CampaignStatus, Status
from pulse.runtime.errors import FieldFault
from pulse.runtime.rest import MAX_BIGINT, Body, Listed, Moment, Page, Text, Timestamp, Title

Rate = Annotated[StrictInt, Field(ge=1, le=600_000, description="devices per minute")]
Share = Annotated[StrictFloat, Field(ge=0, le=1)]
ROW_ID = Field(ge=1, le=MAX_BIGINT)
FirmwareId = Annotated[int, ROW_ID]
"""As a parameter, where all is text."""
StageStatus = Literal["WAITING", "RUNNING", "SOAKING", "AWAITING_APPROVAL", "FAILED", "PASSED"]
ReasonCode = Literal[
    "operator", "abort_ratio", "abort_sequential", "gate_failed", "firmware_withdrawn", "restored", "nobody_updated"
]


class NewStage(Body):
    """A stage of a canary campaign: exactly one of `share` (of all devices that can be updated) and `count`.

    Shares add up (0.01, 0.1 are 1 % and then another 10 %). What the stages leave is a last stage without a gate, which
    the server appends. The gate opens when `min_success` of the stage's devices have succeeded, that has held for
    `soak_seconds`, and an approver has agreed where `approval` asks for it.
    """

    name: Title
    share: Annotated[StrictFloat | None, Field(gt=0, le=1)] = None
    count: Annotated[StrictInt | None, Field(ge=1, le=100_000_000)] = None
    rollout_rate: Rate | None = None
    soak_seconds: Annotated[StrictInt, Field(ge=0, le=604_800)] = 900
    min_success: Share = 0.95
    approval: StrictBool = False

    @model_validator(mode="after")
    def one_size(self) -> Self:
        if (self.share is None) == (self.count is None):
            raise FieldFault("share", "give exactly one of share and count")
        return self


class TargetOf(Body):
    """Devices of another campaign that are still registered, by what they are in it now."""

    campaign_id: Annotated[StrictInt, ROW_ID, Field(description="the other campaign")]
    statuses: Annotated[
        list[Literal["FAILED", "SKIPPED", "PENDING"]],
        Field(
            min_length=1,
            max_length=3,
            description="the devices' statuses there; SKIPPED: whatever the reason; PENDING only of a campaign that is"
            " ABORTED or COMPLETED: those that an abort has not skipped yet",
        ),
    ]


class NewCampaign(Body):
    """One firmware version to one device group, or to what another campaign has not updated.

    Exactly one of `target_group_id` and `target_of`. Left out: the defaults of the customer's rule, `ratio`.
    """

    name: Title
    firmware_version_id: Annotated[StrictInt, ROW_ID]
    target_of: Annotated[TargetOf | None, Field(description="devices of another campaign; null with a group")] = None
    target_group_id: Annotated[
        Name | None,
        Field(validate_default=True, description="the group whose devices are updated; null with `target_of`"),
    ] = None
    rollout_strategy: Literal["linear", "canary"] = "linear"
    rollout_rate: Rate = 10
    abort_threshold: Share = 0.1
    abort_rule: Literal["ratio", "sequential"] = "ratio"
    abort_min_devices: Annotated[StrictInt, Field(ge=1, le=100_000_000)] = 1
    abort_confidence: Annotated[StrictFloat, Field(ge=0.5, le=0.9999)] = 0.95
    max_attempts: Annotated[StrictInt, Field(ge=1, le=10)] = 3
    attempt_timeout_seconds: Annotated[StrictInt, Field(ge=10, le=604_800)] = 3600
    max_in_flight: Annotated[StrictInt | None, Field(ge=1, le=1_000_000)] = None
    ramp_start: Annotated[StrictInt | None, Field(ge=1, le=1_000_000)] = None
    ramp_factor: Annotated[StrictFloat, Field(ge=0, le=10)] = 1
    end_at: Moment | None = None
    stages: Annotated[list[NewStage] | None, Field(min_length=1, max_length=10)] = None

    @field_validator("target_group_id")
    @classmethod
    def one_target(cls, group_id: str | None, info: ValidationInfo) -> str | None:
        if "target_of" in info.data and (group_id is None) == (info.data["target_of"] is None):
            raise ValueError("give exactly one of target_group_id and target_of")
        return group_id

    @model_validator(mode="after")
    def stages_of_a_canary(self) -> Self:
        if self.stages is not None and self.rollout_strategy != "canary":
            raise FieldFault("stages", "stages are for the strategy canary only")
        shares = sum(stage.share or 0 for stage in self.stages or [])
        if shares > 1 + 1e-9:
            raise FieldFault("stages", "the stages' shares add up to more than 1")
        return self


class Reason(Body):
    """Why, for the timeline."""

    reason: Annotated[Text | None, Field(max_length=500)] = None


class Retry(Body):
    """Which failed devices to try again; left out: all that are still registered."""

    device_ids: Annotated[list[Name] | None, Field(min_length=1, max_length=1000)] = None


class RetryAccepted(BaseModel):
    """How many devices are tried again."""

    accepted: int


class NewRate(Body):
    """The rate of the current stage and all later ones."""

    rollout_rate: Rate


class Stage(BaseModel):
    """A stage with its gate and what its devices are at; `approved_by` an approver: the gate is open from then on."""

    number: int
    name: str
    share: float | None
    count: int | None
    rollout_rate: int
    soak_seconds: int
    min_success: float
    approval: bool
    status: StageStatus
    total: int
    status_breakdown: dict[Status, int]
    soak_until: Timestamp | None
    approved_by: str | None
    approved_at: Timestamp | None
    needed: Annotated[
        int | None, Field(description="updated devices at which the gate is reached, 0 or more; null: there is no gate")
    ]
    stuck_since: Annotated[
        Timestamp | None,
        Field(
            description="since when the gate cannot open by itself: each device has had its turn, and too few would be"
            " updated without those that are offline or that the broker refuses; null: it can. Known within 5 seconds"
        ),
    ]


class StatusReason(BaseModel):
    """Why the campaign has its status: by whom (None: the system), or by which rule on what evidence."""

    code: ReasonCode
    detail: str | None
    by: str | None
    at: Timestamp


class FirmwareWithdrawal(BaseModel):
    """Since when a campaign's firmware version is withdrawn: it can neither start nor go on."""

    at: Annotated[Timestamp, Field(description="when it was withdrawn")]
    by: Annotated[str | None, Field(description="who withdrew it: the `sub` of the token")]
    reason: Annotated[str | None, Field(description="why, in the words of who withdrew it")]


class FailureReason(BaseModel):
    """How many devices have failures and this last error code, and are not (yet) SUCCESS or SKIPPED."""

    error_code: str
    devices: int


class HeldBack(BaseModel):
    """How many PENDING devices are held back, by what for; others wait for their turn or another campaign.

    `offline`: nobody took the command; sent again after a pause that grows to an hour, or once the device is heard.
    `refused`: the broker refused it; sent again after such a pause. `retry`: an attempt failed; another one follows.
    `next_attempt_at` of a device's row says when.
    """

    offline: int
    refused: int
    retry: int


class Campaign(BaseModel):
    """A campaign. `total_devices` contains the SKIPPED; `abort_at`: the failures at which it would stop now.

    `actual_rate`: commands per minute, over the last minute or since the last control change; null before the start.
    `eta`: when, at this pace and with the gates' least times, all devices will have been commanded; null when none
    waits or nothing moves. `reasons`: the most frequent first, at most 20.
    """

    id: int
    name: str
    firmware_version_id: int
    firmware_version: str
    firmware_device_type: str | None
    target_group_id: Annotated[str | None, Field(description="the group that was aimed at; null with `target_of`")]
    target_of: Annotated[
        TargetOf | None, Field(description="the campaign whose devices were aimed at; null with a group")
    ]
    rollout_strategy: Literal["linear", "canary"]
    rollout_rate: int
    abort_threshold: float
    abort_rule: Literal["ratio", "sequential"]
    abort_min_devices: int
    abort_confidence: float
    max_attempts: int
    attempt_timeout_seconds: int
    max_in_flight: int | None
    ramp_start: int | None
    ramp_factor: float
    end_at: Timestamp | None
    status: CampaignStatus
    epoch: int
    total_devices: int
    succeeded: int
    failed: int
    status_breakdown: dict[Status, int]
    waiting: HeldBack
    current_stage: int
    stages: list[Stage]
    dispatched_devices: int
    failing_devices: int
    e_value: float | None
    abort_at: int | None
    actual_rate: float | None
    eta: Timestamp | None
    reasons: list[FailureReason]
    status_reason: StatusReason | None
    firmware_withdrawal: Annotated[
        FirmwareWithdrawal | None, Field(description="of the campaign's firmware version; null: it can be rolled out")
    ]
    created_at: Timestamp
    created_by: str
    started_at: Timestamp | None
    completed_at: Timestamp | None


class CreateOptions(Body):
    """`preview`: say what the campaign would do, and keep nothing."""

    preview: bool = False


class PreviewStage(BaseModel):
    """A stage as it would be; skipped devices are part of the last one."""

    name: str
    total: int


class PreviewWarning(BaseModel):
    """Something to look at before the campaign is created; none of it is a refusal."""

    code: Annotated[
        AddressWarningCode,
        Field(description="what the firmware's address answered when it was asked last, as in the version's `address`"),
    ]
    detail: Annotated[str, Field(description="a sentence for a person")]
    checked_at: Annotated[Timestamp | None, Field(description="when the address was asked last; null: never")]


class Preview(BaseModel):
    """What a campaign would do if it were created now.

    `busy_elsewhere`: those of `would_update` that another campaign has at work; they wait for it.
    `estimated_seconds`: to command all at the stages' rates, with their soak times; offline devices, approvals and
    limits in flight come on top. `bytes`: what the devices download in all.
    """

    would_update: int
    skipped: dict[Literal["already_on_version", "wrong_device_type"], int]
    busy_elsewhere: int
    stages: list[PreviewStage]
    estimated_seconds: int
    bytes: int
    warnings: Annotated[list[PreviewWarning], Field(description="empty: the file is where devices will look for it")]


class ControlledCampaign(Campaign):
    """After a control change: whether every dispatcher can know it by now (`announced`) or will (`pending`)."""

    control: Literal["announced", "pending"] | None


class CampaignFilter(Page):
    """Which campaigns; `search` looks in names, `needs_attention` leaves those that the overview has in `waiting`."""

    status: CampaignStatus | None = None
    needs_attention: bool = False
    search: Annotated[Text | None, Field(max_length=200)] = None
    firmware_version_id: FirmwareId | None = None


class CampaignList(Listed):
    """A page of campaigns, newest first."""

    campaigns: list[Campaign]


class TimelineEntry(BaseModel):
    """Something that happened to the campaign; `by` None: the system itself."""

    at: Timestamp
    epoch: int
    event: str
    by: str | None
    reason: str | None
    detail: dict[str, Any]


class Timeline(BaseModel):
    """All that happened, oldest first."""

    entries: list[TimelineEntry]
