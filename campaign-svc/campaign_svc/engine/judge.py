"""The judge, pure: what a campaign's numbers ask for now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from campaign_svc.engine.gates import gate, needed_successes
from campaign_svc.engine.live import LiveCampaign, Stage, StageStatus
from campaign_svc.engine.policy import AbortRule, Outcomes, abort_at, e_value, must_abort
from pulse.contracts.status import CampaignStatus


@dataclass(frozen=True, slots=True)
class Change:
    """A control change: another status, with the reason and the evidence for it."""

    status: CampaignStatus
    event: str
    reason_code: str | None = None
    detail: str | None = None
    evidence: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageMoved:
    """The current stage's gate is elsewhere on its way, or failed (then `change` pauses the campaign)."""

    status: StageStatus
    soak_until: datetime | None
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class StagePassed:
    """The current stage's gate opens: the next stage begins."""

    evidence: dict[str, object]


@dataclass(frozen=True, slots=True)
class Ended:
    """The last row of an aborted campaign is finished."""


Verdict: TypeAlias = Change | StageMoved | StagePassed | Ended


def judge(campaign: LiveCampaign) -> Verdict | None:
    """What is to be done, the most urgent thing first; None: nothing. Judgement waits while rows become PENDING again:
    a retry that is worked off, devices that are taken in at the start."""
    if campaign.status is CampaignStatus.ABORTED:
        return Ended() if campaign.unfinished == 0 else None
    running = campaign.status is CampaignStatus.RUNNING
    withdrawal = campaign.firmware.withdrawal
    if running and withdrawal is not None:
        detail, proof = withdrawal.words(campaign.firmware.version), withdrawal.evidence()
        return Change(CampaignStatus.PAUSED, "paused", "firmware_withdrawn", detail, proof)
    if campaign.refilling:
        return None
    # Paused or not: what is at work when a campaign is paused still ends, and its last outcomes count as any.
    if must_abort(campaign.abort, campaign.outcomes):
        return _abort(campaign)
    if campaign.unfinished == 0:
        seen = campaign.outcomes
        evidence: dict[str, object] = {"succeeded": seen.succeeded, "failed": seen.failed}
        return Change(CampaignStatus.COMPLETED, "completed", evidence=evidence)
    return _judge_stage(campaign.stage, campaign.now) if running else None


def completed(seen: Outcomes, skipped: Mapping[str, int]) -> Change:
    """The end of a campaign without a success; `skipped`: devices by skip reason.

    It has a reason unless all its devices had the version already: an end like any other would look like a success.
    """
    evidence: dict[str, object] = {"succeeded": seen.succeeded, "failed": seen.failed, "skipped": dict(skipped)}
    if seen.failed == 0 and skipped.keys() <= {"already_on_version"}:
        return Change(CampaignStatus.COMPLETED, "completed", evidence=evidence)
    reasons = ", ".join(f"{devices} {reason}" for reason, devices in sorted(skipped.items()))
    detail = f"no device was updated: {seen.failed} failed, {sum(skipped.values())} skipped"
    told = f"{detail} ({reasons})" if reasons else detail
    return Change(CampaignStatus.COMPLETED, "completed", "nobody_updated", told, evidence)


def _abort(campaign: LiveCampaign) -> Change:
    policy, seen = campaign.abort, campaign.outcomes
    if policy.rule is AbortRule.RATIO:
        detail, evidence = _ratio_evidence(policy.threshold, seen)
    else:
        detail, evidence = _sequential_evidence(policy.threshold, policy.confidence, seen)
    evidence["abort_at"] = abort_at(policy, seen)
    return Change(CampaignStatus.ABORTED, "aborted", f"abort_{policy.rule}", detail, evidence)


def _ratio_evidence(threshold: float, seen: Outcomes) -> tuple[str, dict[str, object]]:
    finished = seen.succeeded + seen.failed
    detail = f"{seen.failed} of {finished} finished devices failed; the threshold is {_percent(threshold)}"
    return detail, {"succeeded": seen.succeeded, "failed": seen.failed, "threshold": threshold}


def _sequential_evidence(threshold: float, confidence: float, seen: Outcomes) -> tuple[str, dict[str, object]]:
    detail = (
        f"{seen.failing} of {seen.dispatched} dispatched devices failed: {_percent(confidence)} sure that more than "
        f"{_percent(threshold)} of all would"
    )
    evidence: dict[str, object] = {
        "dispatched": seen.dispatched,
        "failing": seen.failing,
        "threshold": threshold,
        "confidence": confidence,
        "e_value": e_value(seen.dispatched, seen.failing, threshold),
    }
    return detail, evidence


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _judge_stage(stage: Stage, now: datetime) -> Verdict | None:
    if not stage.gate:
        return StageMoved(StageStatus.RUNNING, None) if stage.status is StageStatus.WAITING else None
    status, soak_until = gate(stage, now)
    if status is StageStatus.PASSED:
        return StagePassed(_stage_evidence(stage))
    if status is StageStatus.FAILED:
        return StageMoved(status, None, _gate_failed(stage))
    moved = (status, soak_until) != (stage.status, stage.soak_until)
    return StageMoved(status, soak_until) if moved else None


def _gate_failed(stage: Stage) -> Change:
    needed = needed_successes(stage)
    detail = (
        f"the stage needs {needed} successes of {stage.updatable} devices; "
        f"{stage.failed} failed, so that can no longer be reached"
    )
    return Change(CampaignStatus.PAUSED, "gate_failed", "gate_failed", detail, _stage_evidence(stage))


def _stage_evidence(stage: Stage) -> dict[str, object]:
    return {
        "stage": stage.number,
        "updatable": stage.updatable,
        "succeeded": stage.succeeded,
        "failed": stage.failed,
        "min_success": stage.min_success,
    }
