"""An operator's retry: failed devices of a campaign are tried again, all or some; a completed campaign reopens."""

from campaign_svc.announce import Announcer
from campaign_svc.campaigns import campaign_store as store
from campaign_svc.campaigns import retry_store
from campaign_svc.campaigns.campaign_schemas import RetryAccepted
from campaign_svc.campaigns.campaign_store import CampaignRecord
from campaign_svc.campaigns.campaigns import locked, not_past_end
from campaign_svc.changes import change, note
from campaign_svc.refusals import unknown_devices
from pulse.contracts.status import CampaignStatus as S
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection, Pool, transaction
from pulse.runtime.once import Once


async def retry(
    pool: Pool, announcer: Announcer, who: Principal, once: Once, campaign_id: int, device_ids: list[str] | None
) -> RetryAccepted:
    """Tries the named devices again, or with None all that are still registered, as far as they are FAILED.

    Raises CampaignNotFound, WrongState (also past the campaign's `end_at`), UnknownDevice (nothing is done then),
    FirmwareWithdrawn where a completed campaign would have to reopen.
    """
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        campaign = await locked(conn, who, campaign_id, "retry", S.RUNNING, S.PAUSED, S.COMPLETED)
        await not_past_end(conn, campaign)
        accepted = await _retry(conn, campaign_id, device_ids)
        if accepted:
            await _tell(conn, who, campaign, accepted)
        answer = RetryAccepted(accepted=accepted)
        await once.keep(conn, answer)
    if accepted and campaign.status == S.COMPLETED:
        await announcer.announce(who.tenant, campaign_id)
    return answer


async def _retry(conn: Connection, campaign_id: int, device_ids: list[str] | None) -> int:
    if device_ids is None:
        return await retry_store.retry_all(conn, campaign_id)
    unknown = await retry_store.unknown(conn, campaign_id, device_ids)
    if unknown:
        raise unknown_devices(device_ids, unknown)
    return await retry_store.retry_named(conn, campaign_id, device_ids)


async def _tell(conn: Connection, who: Principal, campaign: CampaignRecord, accepted: int) -> None:
    """The timeline has the retry; for a completed campaign it is a control change."""
    evidence: dict[str, object] = {"devices": accepted}
    if campaign.status != S.COMPLETED:
        await note(conn, campaign.id, event="retried", by=who.subject, evidence=evidence)
        return
    firmware = await store.firmware(conn, who.tenant, campaign.firmware_version_id)
    if firmware and firmware.withdrawal:
        raise firmware.withdrawal.refusal(firmware.version)
    await change(
        conn,
        campaign.id,
        status=S.RUNNING,
        event="reopened",
        by=who.subject,
        reason_code=None,
        detail=None,
        evidence=evidence,
    )
