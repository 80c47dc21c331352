"""HTTP: `/customer/ota/campaigns`."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response

from campaign_svc import campaigns
from campaign_svc.campaign_schemas import (
    Campaign,
    CampaignFilter,
    CampaignList,
    ControlledCampaign,
    NewCampaign,
    NewRate,
    Reason,
    Timeline,
    TimelineEntry,
)
from campaign_svc.campaign_view import View
from campaign_svc.device_rows import DeviceRow, DeviceRowFilter, DeviceRowList
from campaign_svc.doors import Announcing, Database
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Admin, Operator, Viewer
from pulse.runtime.rest import COUNTED_TO, RowId, listed

router = APIRouter(
    prefix="/customer/ota/campaigns", tags=["campaigns"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES
)
NO_REASON = Reason()


@router.post("", status_code=201, operation_id="create_campaign")
async def create(new: NewCampaign, who: Operator, pool: Database) -> Campaign:
    """Creates a campaign over the devices that are in the group now. It begins with `start`."""
    return (await campaigns.create(pool, who, new)).answer()


@router.get("", operation_id="list_campaigns")
async def list_campaigns(wanted: Annotated[CampaignFilter, Query()], who: Viewer, pool: Database) -> CampaignList:
    """Lists campaigns, newest first."""
    views, total = await campaigns.search(pool, who, wanted)
    page = listed(views, wanted, min(total, COUNTED_TO), lambda view: [view.id], capped=total > COUNTED_TO)
    return CampaignList(campaigns=[view.answer() for view in views[: wanted.limit]], **page)


@router.get("/{campaign_id}", operation_id="get_campaign")
async def get(campaign_id: RowId, who: Viewer, pool: Database) -> Campaign:
    """One campaign, with its counts."""
    return (await campaigns.find(pool, who, campaign_id)).answer()


@router.delete("/{campaign_id}", status_code=204, operation_id="delete_campaign")
async def delete(campaign_id: RowId, who: Admin, pool: Database) -> None:
    """Deletes a campaign that was never started."""
    await campaigns.delete(pool, who, campaign_id)


def _controlled(view: View, announced: bool | None, response: Response) -> ControlledCampaign:
    if announced is False:
        response.status_code = 202
    control = None if announced is None else "announced" if announced else "pending"
    return ControlledCampaign(**view.fields(), control=control)


@router.post("/{campaign_id}/start", operation_id="start_campaign", responses={202: {"model": ControlledCampaign}})
async def start(
    campaign_id: RowId,
    who: Operator,
    pool: Database,
    announcer: Announcing,
    response: Response,
    body: Reason = NO_REASON,
) -> ControlledCampaign:
    """Starts a campaign, or resumes a paused one. 202: saved, but the dispatchers may not know it yet."""
    return _controlled(*await campaigns.start(pool, announcer, who, campaign_id, body.reason), response)


@router.post("/{campaign_id}/pause", operation_id="pause_campaign", responses={202: {"model": ControlledCampaign}})
async def pause(
    campaign_id: RowId,
    who: Operator,
    pool: Database,
    announcer: Announcing,
    response: Response,
    body: Reason = NO_REASON,
) -> ControlledCampaign:
    """Pauses: after a 200 no command is sent later than 250 ms. Devices at work go on."""
    return _controlled(*await campaigns.pause(pool, announcer, who, campaign_id, body.reason), response)


@router.post("/{campaign_id}/abort", operation_id="abort_campaign", responses={202: {"model": ControlledCampaign}})
async def abort(
    campaign_id: RowId,
    who: Operator,
    pool: Database,
    announcer: Announcing,
    response: Response,
    body: Reason = NO_REASON,
) -> ControlledCampaign:
    """Ends a campaign for good: waiting devices are skipped, devices at work go on."""
    return _controlled(*await campaigns.abort(pool, announcer, who, campaign_id, body.reason), response)


@router.patch("/{campaign_id}", operation_id="change_campaign_rate", responses={202: {"model": ControlledCampaign}})
async def change_rate(
    campaign_id: RowId, body: NewRate, who: Operator, pool: Database, announcer: Announcing, response: Response
) -> ControlledCampaign:
    """Changes the rate of the current stage and all later ones."""
    return _controlled(*await campaigns.change_rate(pool, announcer, who, campaign_id, body.rollout_rate), response)


@router.get("/{campaign_id}/devices", operation_id="list_campaign_devices")
async def devices(
    campaign_id: RowId, wanted: Annotated[DeviceRowFilter, Query()], who: Viewer, pool: Database
) -> DeviceRowList:
    """Lists the campaign's devices by device id, with what happened to each."""
    rows, total, capped = await campaigns.devices(pool, who, campaign_id, wanted)
    page = listed(rows, wanted, total, lambda row: [row.device_id], capped=capped)
    kept = rows[: wanted.limit]
    return DeviceRowList(devices=[DeviceRow.model_validate(asdict(row)) for row in kept], **page)


@router.get("/{campaign_id}/timeline", operation_id="get_campaign_timeline")
async def timeline(campaign_id: RowId, who: Viewer, pool: Database) -> Timeline:
    """What happened to the campaign: who or which rule, why, on what evidence."""
    entries = await campaigns.timeline(pool, who, campaign_id)
    return Timeline(entries=[TimelineEntry.model_validate(entry) for entry in entries])
