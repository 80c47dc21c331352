"""What the API is asked to do with campaigns."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, ValidationInfo, field_validator, model_validator

from pulse.contracts.names import Name
from pulse.contracts.status import CampaignStatus
from pulse.runtime.errors import FieldFault
from pulse.runtime.rest import MAX_BIGINT, Body, Moment, Page, Text, Title, example

Rate = Annotated[StrictInt, Field(ge=1, le=600_000)]
"""Devices per minute."""
Share = Annotated[StrictFloat, Field(ge=0, le=1)]
ROW_ID = Field(ge=1, le=MAX_BIGINT)
FirmwareId = Annotated[int, ROW_ID]
"""As a parameter, where all is text."""


class NewStage(Body):
    """A stage of a canary campaign: exactly one of `share` (of all devices that can be updated) and `count`.

    Shares add up (0.01, 0.1 are 1 % and then another 10 %). What the stages leave is a last stage without a gate, which
    the server appends. The gate opens when `min_success` of the stage's devices have succeeded, that has held for
    `soak_seconds`, and an approver has agreed where `approval` asks for it.
    """

    name: Title
    """Name of the stage, for people: one line of 1 to 200 characters."""
    share: Annotated[StrictFloat | None, Field(gt=0, le=1)] = None
    """Share of all devices that can be updated, over 0 to 1 (0.01 is 1 %), rounded up to whole devices. Give this or
    `count`."""
    count: Annotated[StrictInt | None, Field(ge=1, le=100_000_000)] = None
    """So many devices, 1 to 100,000,000. Give this or `share`."""
    rollout_rate: Rate | None = None
    """Devices per minute in this stage, 1 to 600,000; left out or null: the campaign's `rollout_rate`."""
    soak_seconds: Annotated[StrictInt, Field(ge=0, le=604_800)] = 900
    """For how many seconds the gate's condition must have held before it opens, 0 to 604,800 (a week)."""
    min_success: Share = 0.95
    """Share of the stage's devices that must have succeeded before its gate opens, 0 to 1."""
    approval: StrictBool = False
    """True: the gate also waits for an approver."""

    @model_validator(mode="after")
    def one_size(self) -> Self:
        if (self.share is None) == (self.count is None):
            raise FieldFault("share", "give exactly one of share and count")
        return self


class TargetOf(Body):
    """Devices of another campaign that are still registered, by what they are in it now."""

    campaign_id: Annotated[StrictInt, ROW_ID]
    """Number (`id`) of the other campaign, from 1."""
    statuses: Annotated[list[Literal["FAILED", "SKIPPED", "PENDING"]], Field(min_length=1, max_length=3)]
    """The devices' statuses there, 1 to 3; SKIPPED: whatever the reason; PENDING only of a campaign that is ABORTED or
    COMPLETED: those that an abort has not skipped yet."""


class NewCampaign(Body):
    """One firmware version to one device group, or to what another campaign has not updated.

    Exactly one of `target_group_id` and `target_of`. Left out: the defaults of the customer's rule, `ratio`.
    """

    model_config = example(
        {
            "name": "Spring release",
            "firmware_version_id": 7,
            "target_group_id": "gw2-field",
            "rollout_strategy": "canary",
            "rollout_rate": 600,
            "abort_threshold": 0.05,
            "stages": [
                {"name": "first", "share": 0.01, "soak_seconds": 900, "min_success": 0.98, "approval": True},
                {"name": "more", "share": 0.2, "rollout_rate": 60},
            ],
        }
    )

    name: Title
    """Name of the campaign, for people: one line of 1 to 200 characters. It need not be unique."""
    firmware_version_id: Annotated[StrictInt, ROW_ID]
    """Number (`id`) of the firmware version to roll out, from 1; it must not be withdrawn."""
    target_of: TargetOf | None = None
    """Devices of another campaign; left out or null with a group."""
    target_group_id: Annotated[Name | None, Field(validate_default=True)] = None
    """Id of the device group; its members at this moment are the campaign's devices. Left out or null with
    `target_of`."""
    rollout_strategy: Literal["linear", "canary"] = "linear"
    """`linear`: one stage with all devices. `canary`: small stages with gates first."""
    rollout_rate: Rate = 10
    """Devices that are commanded per minute, 1 to 600,000."""
    abort_threshold: Share = 0.1
    """Share of devices that may fail before the campaign stops by itself, 0 to 1; see `abort_rule`."""
    abort_rule: Literal["ratio", "sequential"] = "ratio"
    """`ratio`: stops when failed / (succeeded + failed) is over the threshold. `sequential`: a statistical test of all
    commanded devices, see `abort_confidence`."""
    abort_min_devices: Annotated[StrictInt, Field(ge=1, le=100_000_000)] = 1
    """For the rule `ratio`: so many devices must have finished before it may stop the campaign, 1 to 100,000,000."""
    abort_confidence: Annotated[StrictFloat, Field(ge=0.5, le=0.9999)] = 0.95
    """For the rule `sequential`: how sure it must be that too many devices fail, 0.5 to 0.9999. A good firmware is
    stopped with a probability of at most 1 minus this."""
    max_attempts: Annotated[StrictInt, Field(ge=1, le=10)] = 3
    """How many attempts of a device may fail before it is FAILED, 1 to 10. Being offline is no failed attempt."""
    attempt_timeout_seconds: Annotated[StrictInt, Field(ge=10, le=604_800)] = 3600
    """Seconds that an attempt may take from the command to the device's last report, 10 to 604,800 (a week); then it
    has failed."""
    max_in_flight: Annotated[StrictInt | None, Field(ge=1, le=1_000_000)] = None
    """At most so many devices are at work at once, 1 to 1,000,000; null: no limit but the rate."""
    ramp_start: Annotated[StrictInt | None, Field(ge=1, le=1_000_000)] = None
    """At first at most so many devices are at work at once, 1 to 1,000,000; null: no ramp."""
    ramp_factor: Annotated[StrictFloat, Field(ge=0, le=10)] = 1
    """With `ramp_start`: so many more devices may be at work for each success, 0 to 10."""
    end_at: Moment | None = None
    """From then on nothing new is begun and waiting devices are skipped, RFC 3339 with an offset, in the future; null:
    no end."""
    stages: Annotated[list[NewStage] | None, Field(min_length=1, max_length=10)] = None
    """For the strategy `canary`: 1 to 10 stages; left out: one stage with 1 % of the devices. What they leave is a last
    stage without a gate."""

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

    model_config = example({"reason": "support asked for it"})

    reason: Annotated[Text | None, Field(max_length=500)] = None
    """Why, for people; up to 500 characters."""


class Retry(Body):
    """Which failed devices to try again; left out: all that are still registered."""

    model_config = example({"device_ids": ["gw2-0017", "gw2-0018"]})

    device_ids: Annotated[list[Name] | None, Field(min_length=1, max_length=1000)] = None
    """Devices of the campaign, 1 to 1,000 ids; those that are not FAILED stay as they are. Left out: all FAILED
    devices."""


class NewRate(Body):
    """The rate of the current stage and all later ones."""

    model_config = example({"rollout_rate": 120})

    rollout_rate: Rate
    """Devices that are commanded per minute, 1 to 600,000."""


class CreateOptions(Body):
    """`preview`: say what the campaign would do, and keep nothing."""

    preview: bool = False
    """True: answer what the campaign would do (200, a Preview), and keep nothing."""


class CampaignFilter(Page):
    """Which campaigns; `search` looks in names, `needs_attention` leaves those that the overview has in `waiting`."""

    status: CampaignStatus | None = None
    """Only campaigns with this status."""
    needs_attention: bool = False
    """True: only campaigns that wait for a person, as in `waiting` of the overview."""
    search: Annotated[Text | None, Field(max_length=200)] = None
    """Only campaigns with this text in their name, in upper or lower case; up to 200 characters."""
    firmware_version_id: FirmwareId | None = None
    """Only campaigns of this firmware version, by its number, from 1."""
