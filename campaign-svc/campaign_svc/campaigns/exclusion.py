"""An operator takes one device out of a campaign: it is SKIPPED for good, and what it still says is ignored."""

from dataclasses import asdict

from campaign_svc.campaigns import exclusion_store, rows_store
from campaign_svc.campaigns.campaigns import locked
from campaign_svc.campaigns.device_rows import DeviceRow
from campaign_svc.campaigns.rows_store import RowRecord
from campaign_svc.changes import note
from campaign_svc.refusals import DeviceNotFound, WrongState
from pulse.contracts.status import AT_WORK, EXCLUDABLE, GIVEN_UP, Status
from pulse.contracts.status import CampaignStatus as S
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.once import Once

EXCLUDED = "excluded"


async def exclude(
    pool: Pool, who: Principal, once: Once, campaign_id: int, device_id: str, reason: str | None
) -> DeviceRow:
    """The device's row, SKIPPED now; again is harmless. The lock on the campaign keeps claims and retries away.

    Raises CampaignNotFound, DeviceNotFound (not in the campaign), WrongState for a device that has finished, or that is
    at work while the campaign is not aborted.
    """
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        campaign = await locked(conn, who, campaign_id, "skip", *S)
        allowed = GIVEN_UP if campaign.status == S.ABORTED else EXCLUDABLE
        was = await exclusion_store.exclude(conn, campaign_id, device_id, allowed)
        row = await rows_store.one(conn, campaign_id, device_id)
        if row is None:
            raise DeviceNotFound(f"campaign {campaign_id} has no device {device_id}")
        if row.skip_reason != EXCLUDED:
            raise _refusal(row)
        if was is not None:
            evidence: dict[str, object] = {"device_id": device_id, "was": was, "attempt": row.attempt}
            await note(conn, campaign_id, event="device_skipped", by=who.subject, reason=reason, evidence=evidence)
        answer = DeviceRow.model_validate(asdict(row))
        await once.keep(conn, answer)
    return answer


def _refusal(row: RowRecord) -> WrongState:
    if Status(row.status) in AT_WORK:
        return WrongState(
            f"device {row.device_id} is at work ({row.status}) and cannot be taken back yet: wait until it has ended,"
            " or abort the campaign first"
        )
    return WrongState(f"device {row.device_id} has finished: {row.status}")
