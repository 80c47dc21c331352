"""Create, find, list and delete campaigns."""

from campaign_svc.campaigns import campaign_store as store
from campaign_svc.campaigns import rows_store, targets_store
from campaign_svc.campaigns.campaign_requests import CampaignFilter, NewCampaign, NewStage
from campaign_svc.campaigns.campaign_schemas import Campaign
from campaign_svc.campaigns.campaign_store import CampaignRecord, Firmware, StageRecord
from campaign_svc.campaigns.campaign_view import View
from campaign_svc.campaigns.device_rows import DeviceRowFilter
from campaign_svc.campaigns.rows_store import RowRecord
from campaign_svc.campaigns.targets import nobody, target_of
from campaign_svc.changes import note
from campaign_svc.insight import figures_store
from campaign_svc.refusals import (
    CampaignNotFound,
    UnknownFirmware,
    WrongState,
)
from pulse.contracts.status import CampaignStatus
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection, Pool, transaction
from pulse.runtime.once import Once
from pulse.runtime.rest import like, must_be_ahead

DEFAULT_CANARY = [NewStage(name="canary", share=0.01)]
LAST_STAGE = {"linear": "all", "canary": "everyone"}
"""The name of the stage without a gate, by strategy."""


async def create(pool: Pool, who: Principal, once: Once, new: NewCampaign) -> Campaign:
    """Raises UnknownFirmware, FirmwareWithdrawn, UnknownGroup, UnknownCampaign, NotEnded, EmptyGroup, EmptyTarget.

    Raises Invalid for an `end_at` that is past.
    """
    gated = gated_stages(new)
    last = LAST_STAGE[new.rollout_strategy]
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        must_be_ahead(await figures_store.moment(conn), end_at=new.end_at)
        firmware = await firmware_for(conn, who, new)
        target = await target_of(conn, who, new, lock=True)
        campaign_id = await store.insert(conn, who.tenant, who.subject, new, firmware)
        await targets_store.insert_stages(conn, who.tenant, campaign_id, new.rollout_rate, gated, last)
        if not await targets_store.insert_devices(conn, who.tenant, campaign_id, target, firmware, gated):
            raise nobody(target)
        await note(conn, campaign_id, event="created", by=who.subject)
        answer = (await view(conn, who, campaign_id)).answer()
        await once.keep(conn, answer)
    return answer


def gated_stages(new: NewCampaign) -> list[NewStage]:
    """The stages before the last one."""
    if new.rollout_strategy == "linear":
        return []
    return new.stages or DEFAULT_CANARY


async def firmware_for(conn: Connection, who: Principal, new: NewCampaign) -> Firmware:
    """Raises UnknownFirmware, FirmwareWithdrawn."""
    firmware = await store.firmware(conn, who.tenant, new.firmware_version_id)
    if firmware is None:
        detail = f"there is no firmware version {new.firmware_version_id}"
        raise UnknownFirmware(detail, field="firmware_version_id")
    if firmware.withdrawal:
        raise firmware.withdrawal.refusal(firmware.version, field="firmware_version_id")
    return firmware


async def find(pool: Pool, who: Principal, campaign_id: int) -> View:
    """Raises CampaignNotFound."""
    async with transaction(pool, who.tenant) as conn:
        return await view(conn, who, campaign_id)


async def search(pool: Pool, who: Principal, wanted: CampaignFilter) -> tuple[list[View], int]:
    """A page and one campaign more, newest first; and how many there are in all."""
    rows_of = (who.tenant, wanted.status, like(wanted.search), wanted.firmware_version_id, wanted.needs_attention)
    key = wanted.key(int)
    async with transaction(pool, who.tenant) as conn:
        rows = await store.page(conn, rows_of, key[0] if key else None, wanted.limit + 1, wanted.offset)
        return await views(conn, rows), await store.count(conn, rows_of)


async def delete(pool: Pool, who: Principal, campaign_id: int) -> None:
    """Raises CampaignNotFound, WrongState (only CREATED ones can go)."""
    async with transaction(pool, who.tenant) as conn:
        await locked(conn, who, campaign_id, "delete", CampaignStatus.CREATED)
        await store.delete(conn, campaign_id)


async def devices(
    pool: Pool, who: Principal, campaign_id: int, wanted: DeviceRowFilter
) -> tuple[list[RowRecord], int, bool]:
    """A page and one row more, the total, and whether it was capped. Raises CampaignNotFound."""
    rows_of = rows_store.Wanted(campaign_id, wanted.status, like(wanted.search), wanted.error_code, wanted.wait)
    key = wanted.key(str)
    async with transaction(pool, who.tenant) as conn:
        if await store.get(conn, who.tenant, campaign_id) is None:
            raise CampaignNotFound(f"there is no campaign {campaign_id}")
        rows = await rows_store.page(conn, rows_of, key[0] if key else None, wanted.limit + 1, wanted.offset)
        if wanted.holds_all(rows):
            return rows, len(rows), False
        return rows, *await rows_store.count(conn, rows_of)


async def timeline(pool: Pool, who: Principal, campaign_id: int) -> list[dict[str, object]]:
    """Raises CampaignNotFound."""
    async with transaction(pool, who.tenant) as conn:
        if await store.get(conn, who.tenant, campaign_id) is None:
            raise CampaignNotFound(f"there is no campaign {campaign_id}")
        return await store.timeline(conn, campaign_id)


async def locked(
    conn: Connection, who: Principal, campaign_id: int, act: str, *allowed: CampaignStatus
) -> CampaignRecord:
    """The campaign as it is until the transaction ends. Raises CampaignNotFound; WrongState when not in `allowed`."""
    campaign = await store.lock(conn, who.tenant, campaign_id)
    if campaign is None:
        raise CampaignNotFound(f"there is no campaign {campaign_id}")
    if campaign.status not in allowed:
        raise WrongState(f"{act} is possible in {', '.join(allowed)}; campaign {campaign_id} is {campaign.status}")
    return campaign


async def not_past_end(conn: Connection, campaign: CampaignRecord) -> None:
    """Nothing begins, goes on or begins again after a campaign's `end_at`. Raises WrongState."""
    if campaign.end_at is not None and campaign.end_at <= await figures_store.moment(conn):
        raise WrongState(f"campaign {campaign.id} has ended for all devices at {campaign.end_at.isoformat()}")


async def view(conn: Connection, who: Principal, campaign_id: int) -> View:
    """The campaign with its stages and counters, within the caller's transaction. Raises CampaignNotFound."""
    campaign = await store.get(conn, who.tenant, campaign_id)
    if campaign is None:
        raise CampaignNotFound(f"there is no campaign {campaign_id}")
    return (await views(conn, [campaign]))[0]


async def views(conn: Connection, campaigns: list[CampaignRecord]) -> list[View]:
    """The same campaigns with all that their answer tells."""
    ids = [campaign.id for campaign in campaigns]
    moment = await figures_store.moment(conn)
    figures = await figures_store.figures(conn, ids)
    stages = await store.stages(conn, ids)
    withdrawn = await store.withdrawals(conn, {campaign.firmware_version_id for campaign in campaigns})
    counters = await store.counters(conn, ids)
    of_campaign: dict[int, list[StageRecord]] = {number: [] for number in ids}
    for stage in stages:
        of_campaign[stage.campaign_id].append(stage)
    return [
        View(c, of_campaign[c.id], counters, figures[c.id], moment, withdrawn.get(c.firmware_version_id))
        for c in campaigns
    ]
