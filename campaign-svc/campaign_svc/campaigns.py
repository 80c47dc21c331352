"""Create, find, start, pause, abort campaigns, and change their rate."""

from campaign_svc import campaign_store as store
from campaign_svc import figures_store, fleet_store, rows_store
from campaign_svc.announce import Announcer
from campaign_svc.campaign_schemas import CampaignFilter, NewCampaign, NewStage
from campaign_svc.campaign_store import CampaignRecord, StageRecord
from campaign_svc.campaign_view import View
from campaign_svc.changes import change, note
from campaign_svc.device_rows import DeviceRowFilter
from campaign_svc.rows_store import RowRecord
from pulse.contracts.status import CampaignStatus
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection, Pool, transaction
from pulse.runtime.errors import Conflict, Invalid, NotFound
from pulse.runtime.rest import like

S = CampaignStatus
DEFAULT_CANARY = [NewStage(name="canary", share=0.01)]


class CampaignNotFound(NotFound):
    code = "campaign_not_found"


class UnknownFirmware(Invalid):
    code = "unknown_firmware"


class FirmwareWithdrawn(Conflict):
    code = "firmware_withdrawn"


class UnknownGroup(Invalid):
    code = "unknown_group"


class EmptyGroup(Invalid):
    code = "empty_group"


class WrongState(Conflict):
    code = "wrong_state"


async def create(pool: Pool, who: Principal, new: NewCampaign) -> View:
    """Raises UnknownFirmware, FirmwareWithdrawn, UnknownGroup, EmptyGroup."""
    gated = _gated(new)
    last = "all" if new.rollout_strategy == "linear" else "everyone"
    async with transaction(pool, who.tenant) as conn:
        firmware = await store.firmware(conn, who.tenant, new.firmware_version_id)
        if firmware is None:
            detail = f"there is no firmware version {new.firmware_version_id}"
            raise UnknownFirmware(detail, field="firmware_version_id")
        if firmware.status == "WITHDRAWN":
            raise FirmwareWithdrawn(f"firmware version {firmware.id} is withdrawn", field="firmware_version_id")
        if not await fleet_store.lock_group(conn, who.tenant, new.target_group_id):
            raise UnknownGroup(f"there is no group {new.target_group_id}", field="target_group_id")
        campaign_id = await store.insert(conn, who.tenant, who.subject, new, firmware)
        await store.insert_stages(conn, who.tenant, campaign_id, new.rollout_rate, gated, last)
        if not await store.insert_devices(conn, who.tenant, campaign_id, new.target_group_id, firmware, gated):
            raise EmptyGroup(f"group {new.target_group_id} has no devices", field="target_group_id")
        await note(conn, campaign_id, event="created", by=who.subject)
        return await _view(conn, who, campaign_id)


def _gated(new: NewCampaign) -> list[NewStage]:
    if new.rollout_strategy == "linear":
        return []
    return new.stages or DEFAULT_CANARY


async def find(pool: Pool, who: Principal, campaign_id: int) -> View:
    """Raises CampaignNotFound."""
    async with transaction(pool, who.tenant) as conn:
        return await _view(conn, who, campaign_id)


async def search(pool: Pool, who: Principal, wanted: CampaignFilter) -> tuple[list[View], int]:
    """A page and one campaign more, newest first; and how many there are in all."""
    rows_of = (who.tenant, wanted.status, like(wanted.search), wanted.firmware_version_id)
    key = wanted.key(int)
    async with transaction(pool, who.tenant) as conn:
        rows = await store.page(conn, rows_of, key[0] if key else None, wanted.limit + 1, wanted.offset)
        return await views(conn, rows), await store.count(conn, rows_of)


async def start(
    pool: Pool, announcer: Announcer, who: Principal, campaign_id: int, reason: str | None
) -> tuple[View, bool]:
    """Starts a CREATED campaign, resumes a PAUSED one. Raises CampaignNotFound, WrongState, FirmwareWithdrawn."""
    async with transaction(pool, who.tenant) as conn:
        campaign = await _locked(conn, who, campaign_id, "start", S.CREATED, S.PAUSED)
        firmware = await store.firmware(conn, who.tenant, campaign.firmware_version_id)
        if firmware is None or firmware.status == "WITHDRAWN":
            raise FirmwareWithdrawn(f"firmware version {campaign.firmware_version} is withdrawn")
        event = "started" if campaign.status == S.CREATED else "resumed"
        await store.begin_stage(conn, campaign_id)
        await change(conn, campaign_id, status=S.RUNNING, event=event, by=who.subject, reason_code=None, detail=reason)
    return await _announced(pool, announcer, who, campaign_id)


async def pause(
    pool: Pool, announcer: Announcer, who: Principal, campaign_id: int, reason: str | None
) -> tuple[View, bool]:
    """Nothing is sent any more until it is started again. Raises CampaignNotFound, WrongState."""
    async with transaction(pool, who.tenant) as conn:
        await _locked(conn, who, campaign_id, "pause", S.RUNNING)
        await change(
            conn, campaign_id, status=S.PAUSED, event="paused", by=who.subject, reason_code="operator", detail=reason
        )
    return await _announced(pool, announcer, who, campaign_id)


async def abort(
    pool: Pool, announcer: Announcer, who: Principal, campaign_id: int, reason: str | None
) -> tuple[View, bool]:
    """Ends it for good; what has not been sent is skipped. Raises CampaignNotFound, WrongState."""
    async with transaction(pool, who.tenant) as conn:
        await _locked(conn, who, campaign_id, "abort", S.CREATED, S.RUNNING, S.PAUSED)
        await change(
            conn, campaign_id, status=S.ABORTED, event="aborted", by=who.subject, reason_code="operator", detail=reason
        )
    return await _announced(pool, announcer, who, campaign_id)


async def change_rate(
    pool: Pool, announcer: Announcer, who: Principal, campaign_id: int, rate: int
) -> tuple[View, bool | None]:
    """`rate` in devices a minute; None in place of an answer: nothing runs yet. Raises CampaignNotFound, WrongState."""
    async with transaction(pool, who.tenant) as conn:
        campaign = await _locked(conn, who, campaign_id, "change of rate", S.CREATED, S.RUNNING, S.PAUSED)
        detail = f"{campaign.rollout_rate} to {rate} a minute"
        await store.set_rate(conn, campaign_id, rate)
        if campaign.status == S.CREATED:
            await note(conn, campaign_id, event="rate_changed", by=who.subject, reason=detail)
            return await _view(conn, who, campaign_id), None
        await change(
            conn,
            campaign_id,
            status=S(campaign.status),
            event="rate_changed",
            by=who.subject,
            reason_code=None,
            detail=detail,
        )
    return await _announced(pool, announcer, who, campaign_id)


async def delete(pool: Pool, who: Principal, campaign_id: int) -> None:
    """Raises CampaignNotFound, WrongState (only CREATED ones can go)."""
    async with transaction(pool, who.tenant) as conn:
        await _locked(conn, who, campaign_id, "delete", S.CREATED)
        await store.delete(conn, campaign_id)


async def devices(
    pool: Pool, who: Principal, campaign_id: int, wanted: DeviceRowFilter
) -> tuple[list[RowRecord], int, bool]:
    """A page and one row more, the total, and whether it was capped. Raises CampaignNotFound."""
    rows_of = rows_store.Wanted(campaign_id, wanted.status, like(wanted.search))
    key = wanted.key(str)
    async with transaction(pool, who.tenant) as conn:
        if await store.get(conn, who.tenant, campaign_id) is None:
            raise CampaignNotFound(f"there is no campaign {campaign_id}")
        rows = await rows_store.page(conn, rows_of, key[0] if key else None, wanted.limit + 1, wanted.offset)
        return rows, *await rows_store.count(conn, rows_of)


async def timeline(pool: Pool, who: Principal, campaign_id: int) -> list[dict[str, object]]:
    """Raises CampaignNotFound."""
    async with transaction(pool, who.tenant) as conn:
        if await store.get(conn, who.tenant, campaign_id) is None:
            raise CampaignNotFound(f"there is no campaign {campaign_id}")
        return await store.timeline(conn, campaign_id)


async def _locked(
    conn: Connection, who: Principal, campaign_id: int, act: str, *allowed: CampaignStatus
) -> CampaignRecord:
    campaign = await store.lock(conn, who.tenant, campaign_id)
    if campaign is None:
        raise CampaignNotFound(f"there is no campaign {campaign_id}")
    if campaign.status not in allowed:
        raise WrongState(f"{act} is possible in {', '.join(allowed)}; campaign {campaign_id} is {campaign.status}")
    return campaign


async def _announced(pool: Pool, announcer: Announcer, who: Principal, campaign_id: int) -> tuple[View, bool]:
    """After the commit: every dispatcher is told. What could not be told in time, the tick tells again."""
    announced = await announcer.announce(who.tenant, campaign_id)
    return await find(pool, who, campaign_id), announced


async def _view(conn: Connection, who: Principal, campaign_id: int) -> View:
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
    counters = await store.counters(conn, ids)
    of_campaign: dict[int, list[StageRecord]] = {number: [] for number in ids}
    for stage in stages:
        of_campaign[stage.campaign_id].append(stage)
    return [View(c, of_campaign[c.id], counters, figures[c.id], moment) for c in campaigns]
