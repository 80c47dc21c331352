"""A campaign's row, stages and counters become the API's answer."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, cast

from campaign_svc.campaigns.campaign_requests import TargetOf
from campaign_svc.campaigns.campaign_schemas import (
    Campaign,
    FailureReason,
    FirmwareWithdrawal,
    HeldBack,
    ReasonCode,
    Stage,
    StageStatus,
    StatusReason,
)
from campaign_svc.campaigns.campaign_store import CampaignRecord, Counters, StageRecord
from campaign_svc.engine.gates import needed
from campaign_svc.engine.policy import AbortPolicy, AbortRule, Limits, Outcomes, abort_at, e_value
from campaign_svc.insight.figures_store import Figures
from campaign_svc.insight.forecast import Ahead, actual_rate, eta, throughput
from campaign_svc.withdrawal import Withdrawal
from pulse.contracts.status import ACTIVE, CampaignStatus, Status, Wait

FROM_ROW = Campaign.model_fields.keys() & CampaignRecord.__dataclass_fields__.keys()


@dataclass(frozen=True, slots=True)
class View:
    """A campaign as it was in one transaction, at `moment` of the database's clock."""

    campaign: CampaignRecord
    stages: list[StageRecord]
    counters: Counters
    figures: Figures
    moment: datetime
    withdrawal: Withdrawal | None = None

    @property
    def id(self) -> int:
        return self.campaign.id

    def _of_stage(self, number: int, counter: str) -> int:
        return self.counters.get((self.id, number), {}).get(counter, 0)

    def total(self, counter: str) -> int:
        """A counter over all stages."""
        return sum(self._of_stage(stage.number, counter) for stage in self.stages)

    def answer(self) -> Campaign:
        return Campaign(**self.fields())

    def fields(self) -> dict[str, Any]:
        """The fields of Campaign."""
        breakdown = {status: self.total(status) for status in Status}
        seen = Outcomes(
            succeeded=breakdown[Status.SUCCESS],
            failed=breakdown[Status.FAILED],
            dispatched=self.total("dispatched"),
            failing=self.total("failing"),
        )
        row = asdict(self.campaign)
        return {name: row[name] for name in FROM_ROW} | {
            "target_of": self._target_of(),
            "total_devices": sum(breakdown.values()),
            "succeeded": seen.succeeded,
            "failed": seen.failed,
            "status_breakdown": breakdown,
            "waiting": HeldBack(**{wait: self.total(wait) for wait in Wait}),
            "stages": [self._stage(stage) for stage in self.stages],
            "dispatched_devices": seen.dispatched,
            "failing_devices": seen.failing,
            "e_value": self._e_value(seen),
            "abort_at": abort_at(self._abort_policy(), seen),
            "actual_rate": self.actual_rate,
            "eta": self._eta(),
            "reasons": [FailureReason(error_code=code, devices=n) for code, n in self.figures.reasons],
            "status_reason": self._reason(),
            "firmware_withdrawal": self._withdrawal(),
        }

    @property
    def actual_rate(self) -> float | None:
        """Commands per minute; None before the start."""
        if self.campaign.started_at is None:
            return None
        since = self.campaign.promised_at if self.campaign.status == CampaignStatus.RUNNING else None
        return round(actual_rate(self.figures.slots, since, self.moment), 1)

    def _eta(self) -> datetime | None:
        if self.campaign.status != CampaignStatus.RUNNING:
            return None
        pace = (self.actual_rate or 0) / 60
        row = self.campaign
        limits = Limits(row.max_in_flight, row.ramp_start, row.ramp_factor)
        limit = limits.in_flight(self.total(Status.SUCCESS), self.total("failing"))
        most = throughput(limit, sum(self.total(status) for status in ACTIVE), pace)
        open_stages = [stage for stage in self.stages if stage.number < row.current_stage]
        passed = sum(self._waiting(stage) for stage in open_stages)
        ahead = [self._ahead(stage) for stage in self.stages[row.current_stage :]]
        return eta(self.moment, pace, [replace(ahead[0], waiting=ahead[0].waiting + passed), *ahead[1:]], most)

    def _waiting(self, stage: StageRecord) -> int:
        return self._of_stage(stage.number, Status.PENDING) + self._of_stage(stage.number, Status.QUEUED)

    def _ahead(self, stage: StageRecord) -> Ahead:
        soaking = stage.soak_until is not None
        left = (stage.soak_until - self.moment).total_seconds() if stage.soak_until else stage.soak_seconds
        return Ahead(self._waiting(stage), stage.rollout_rate / 60, max(0.0, left), soaking)

    def _e_value(self, seen: Outcomes) -> float | None:
        if self.campaign.abort_rule != AbortRule.SEQUENTIAL:
            return None
        return e_value(seen.dispatched, seen.failing, self.campaign.abort_threshold)

    def _abort_policy(self) -> AbortPolicy:
        row = self.campaign
        return AbortPolicy(AbortRule(row.abort_rule), row.abort_threshold, row.abort_min_devices, row.abort_confidence)

    def _stage(self, stage: StageRecord) -> Stage:
        breakdown = {status: self._of_stage(stage.number, status) for status in Status}
        updatable = sum(breakdown.values()) - breakdown[Status.SKIPPED]
        return Stage(
            number=stage.number,
            name=stage.name,
            share=stage.share,
            count=stage.device_count,
            rollout_rate=stage.rollout_rate,
            soak_seconds=stage.soak_seconds,
            min_success=stage.min_success,
            approval=stage.approval,
            status=cast("StageStatus", stage.status),
            total=sum(breakdown.values()),
            status_breakdown=breakdown,
            soak_until=stage.soak_until,
            approved_by=stage.approved_by,
            approved_at=stage.approved_at,
            needed=needed(stage.min_success, updatable) if stage.gate else None,
            stuck_since=stage.stuck_since if stage.approved_at is None else None,
        )

    def _target_of(self) -> TargetOf | None:
        row = self.campaign
        if row.target_of_campaign_id is None:
            return None
        return TargetOf.model_validate({"campaign_id": row.target_of_campaign_id, "statuses": row.target_of_statuses})

    def _withdrawal(self) -> FirmwareWithdrawal | None:
        found = self.withdrawal
        return None if found is None else FirmwareWithdrawal(at=found.at, by=found.by, reason=found.reason)

    def _reason(self) -> StatusReason | None:
        row = self.campaign
        if row.status_reason_code is None or row.status_reason_at is None:
            return None
        code = cast("ReasonCode", row.status_reason_code)
        return StatusReason(
            code=code, detail=row.status_reason_detail, by=row.status_reason_by, at=row.status_reason_at
        )
