"""An approver opens the gate of a stage: one that waits for that, one that failed, or, for a reason, a running one."""

from campaign_svc.campaigns import campaign_store as store
from campaign_svc.campaigns.campaign_schemas import Campaign
from campaign_svc.campaigns.campaign_store import StageRecord
from campaign_svc.campaigns.campaigns import locked, view
from campaign_svc.changes import note
from campaign_svc.engine import stage_store
from campaign_svc.engine.gates import APPROVABLE, needed
from campaign_svc.engine.live import StageStatus
from campaign_svc.refusals import StageNotFound, WrongState
from pulse.contracts.status import ACTIVE, Status, Wait
from pulse.contracts.status import CampaignStatus as S
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection, Pool, transaction
from pulse.runtime.errors import FieldError, Invalid
from pulse.runtime.once import Once


async def approve(
    pool: Pool, who: Principal, once: Once, campaign_id: int, number: int, reason: str | None
) -> Campaign:
    """The gate opens at the next tick of the running campaign; while it is PAUSED, once it is started.

    A gate that is still to be reached needs a reason, which the timeline keeps with the numbers of that moment.
    Again is harmless. Raises CampaignNotFound, StageNotFound, WrongState, Invalid without that reason.
    """
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        await locked(conn, who, campaign_id, "approval", S.RUNNING, S.PAUSED)
        stage = next((one for one in await store.stages(conn, [campaign_id]) if one.number == number), None)
        if stage is None:
            raise StageNotFound(f"campaign {campaign_id} has no stage {number}")
        evidence: dict[str, object] = {"stage": number}
        if _is_early(stage, reason):
            evidence |= await _numbers(conn, stage)
        if await stage_store.approve(conn, campaign_id, number, who.subject):
            await note(conn, campaign_id, event="approved", by=who.subject, reason=reason, evidence=evidence)
        answer = (await view(conn, who, campaign_id)).answer()
        await once.keep(conn, answer)
    return answer


def _is_early(stage: StageRecord, reason: str | None) -> bool:
    """Whether the gate is still to be reached. Raises WrongState, Invalid where that needs a reason."""
    if stage.status in APPROVABLE:
        return False
    if stage.status != StageStatus.RUNNING or not stage.gate:
        told = "it has no gate" if not stage.gate else f"its gate is {stage.status}"
        raise WrongState(f"stage {stage.number} cannot be approved: {told}, so that nothing waits for an approver")
    if reason is None or not reason.strip():
        rule = "opening a gate that has not been reached needs a reason"
        raise Invalid(f"reason: {rule}", errors=(FieldError("reason", "required", rule),))
    return True


async def _numbers(conn: Connection, stage: StageRecord) -> dict[str, object]:
    """What the stage's devices were at when its gate was opened early."""
    counts = (await store.counters(conn, [stage.campaign_id])).get((stage.campaign_id, stage.number), {})
    updatable = sum(counts.get(status, 0) for status in Status if status is not Status.SKIPPED)
    return {
        "gate": stage.status,
        "updatable": updatable,
        "needed": needed(stage.min_success, updatable),
        "succeeded": counts.get(Status.SUCCESS, 0),
        "failed": counts.get(Status.FAILED, 0),
        "at_work": sum(counts.get(status, 0) for status in ACTIVE),
        "waiting": counts.get(Status.PENDING, 0),
        "offline": counts.get(Wait.OFFLINE, 0),
        "refused": counts.get(Wait.REFUSED, 0),
    }
