"""A campaign as the loops see it: its row, stages and counters at one moment."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from campaign_svc.engine.policy import AbortPolicy, Limits, Outcomes
from campaign_svc.withdrawal import Withdrawal
from pulse.contracts.status import ACTIVE, FINISHED, CampaignStatus, Status


class StageStatus(StrEnum):
    """Where a stage is on its way."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SOAKING = "SOAKING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    FAILED = "FAILED"
    PASSED = "PASSED"


@dataclass(frozen=True, slots=True)
class Stage:
    """A share of the campaign's devices. `rate` in devices per second; `counts` by counter (a status, mostly).

    `stuck`: its gate was found to be in need of devices that are held back.
    """

    number: int
    rate: float
    gate: bool
    soak_seconds: int
    min_success: float
    approval: bool
    approved: bool
    status: StageStatus
    soak_until: datetime | None
    due: bool
    counts: Mapping[str, int]
    stuck: bool = False

    @property
    def updatable(self) -> int:
        """Devices of the stage that are not SKIPPED."""
        return sum(self.counts.get(status, 0) for status in Status if status is not Status.SKIPPED)

    @property
    def succeeded(self) -> int:
        return self.counts.get(Status.SUCCESS, 0)

    @property
    def failed(self) -> int:
        return self.counts.get(Status.FAILED, 0)


@dataclass(frozen=True, slots=True)
class Firmware:
    """What the command tells the device; `size` in bytes."""

    version: str
    url: str
    size: int
    checksum: str
    withdrawal: Withdrawal | None = None

    @property
    def withdrawn(self) -> bool:
        return self.withdrawal is not None


@dataclass(frozen=True, slots=True)
class LiveCampaign:
    """A campaign that the tick works on. `now` is the database's clock; `overdue` and `silent` say what to sweep,
    `slow` that it does not keep up with its rate, `taking_in` that the devices that were skipped when it was made are
    not all looked at again yet."""

    id: int
    tenant_id: str
    status: CampaignStatus
    epoch: int
    firmware: Firmware
    abort: AbortPolicy
    limits: Limits
    max_attempts: int
    attempt_timeout_seconds: int
    end_at: datetime | None
    retry_before: datetime | None
    current_stage: int
    stages: tuple[Stage, ...]
    now: datetime
    overdue: bool
    silent: bool
    slow: bool = False
    taking_in: bool = False

    @property
    def stage(self) -> Stage:
        return self.stages[self.current_stage]

    @property
    def open_stages(self) -> tuple[Stage, ...]:
        """The stages that devices may be released from."""
        return self.stages[: self.current_stage + 1]

    @property
    def past_end(self) -> bool:
        return self.end_at is not None and self.end_at <= self.now

    @property
    def refilling(self) -> bool:
        """Whether rows still become PENDING: by a retry, or by devices that are taken in at the start.

        Nothing is released and nothing judged before that is done.
        """
        return self.retrying or self.taking_in

    @property
    def retrying(self) -> bool:
        """An operator's retry of all failed devices is not worked off yet."""
        return self.retry_before is not None

    @property
    def counts(self) -> Counter[str]:
        """The stages' counters together."""
        total: Counter[str] = Counter()
        for stage in self.stages:
            total.update(stage.counts)
        return total

    @property
    def active(self) -> int:
        return sum(self.counts[status] for status in ACTIVE)

    @property
    def waiting(self) -> int:
        return self.counts[Status.PENDING]

    @property
    def unfinished(self) -> int:
        return sum(self.counts[status] for status in Status if status not in FINISHED)

    @property
    def outcomes(self) -> Outcomes:
        counts = self.counts
        return Outcomes(counts[Status.SUCCESS], counts[Status.FAILED], counts["dispatched"], counts["failing"])
