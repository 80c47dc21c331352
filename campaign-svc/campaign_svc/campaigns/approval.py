"""An approver opens the gate of a stage: one that waits for that, or one that failed."""

from campaign_svc.campaigns import campaign_store as store
from campaign_svc.campaigns.campaign_schemas import Campaign
from campaign_svc.campaigns.campaigns import locked, view
from campaign_svc.changes import note
from campaign_svc.engine import stage_store
from campaign_svc.engine.gates import APPROVABLE
from campaign_svc.refusals import StageNotFound, WrongState
from pulse.contracts.status import CampaignStatus as S
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.once import Once


async def approve(
    pool: Pool, who: Principal, once: Once, campaign_id: int, number: int, reason: str | None
) -> Campaign:
    """The gate opens at the next tick of the running campaign; one that failed stays PAUSED until it is started.

    Again is harmless. Raises CampaignNotFound, StageNotFound, WrongState.
    """
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        await locked(conn, who, campaign_id, "approval", S.RUNNING, S.PAUSED)
        status = {stage.number: stage.status for stage in await store.stages(conn, [campaign_id])}.get(number)
        if status is None:
            raise StageNotFound(f"campaign {campaign_id} has no stage {number}")
        if status not in APPROVABLE:
            raise WrongState(f"stage {number} is {status}: its gate neither awaits approval nor has failed")
        if await stage_store.approve(conn, campaign_id, number, who.subject):
            await note(conn, campaign_id, event="approved", by=who.subject, reason=reason, evidence={"stage": number})
        answer = (await view(conn, who, campaign_id)).answer()
        await once.keep(conn, answer)
    return answer
