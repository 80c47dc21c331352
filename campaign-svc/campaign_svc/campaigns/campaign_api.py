"""HTTP: `/customer/ota/campaigns`."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from campaign_svc.campaigns import approval, campaigns, exclusion, preview, retry
from campaign_svc.campaigns.campaign_requests import CampaignFilter, CreateOptions, NewCampaign, NewRate, Reason, Retry
from campaign_svc.campaigns.campaign_schemas import (
    Campaign,
    CampaignList,
    ControlledCampaign,
    Preview,
    RetryAccepted,
    Timeline,
    TimelineEntry,
)
from campaign_svc.campaigns.control import ACCEPTED
from campaign_svc.campaigns.device_rows import DeviceRow, DeviceRowFilter, DeviceRowList
from campaign_svc.doors import Announcing, Controlling, Database
from campaign_svc.refusals import (
    CampaignNotFound,
    DeviceNotFound,
    EmptyGroup,
    EmptyTarget,
    FirmwareWithdrawn,
    NotEnded,
    StageNotFound,
    UnknownCampaign,
    UnknownDevice,
    UnknownFirmware,
    UnknownGroup,
    WrongState,
)
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Admin, Approver, Operator, Viewer
from pulse.runtime.described import problems
from pulse.runtime.once import OnlyOnce
from pulse.runtime.rest import COUNTED_TO, PLAIN, NamedInPath, RowId, listed

router = APIRouter(
    prefix="/customer/ota/campaigns", tags=["campaigns"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES
)
NO_REASON = Reason()
ALL_FAILED = Retry()
CONTROL = (CampaignNotFound, WrongState)
PENDING: dict[int | str, dict[str, Any]] = {
    ACCEPTED: {"model": ControlledCampaign, "description": "Saved, but not every dispatcher may know it yet"}
}
PREVIEWED: dict[int | str, dict[str, Any]] = {
    200: {"model": Preview, "description": "With `preview=true`: nothing was kept"}
}
StageNumber = Annotated[int, Field(ge=0, le=1000), PLAIN, Path(description="Number of the stage, 0 to 1,000.")]


@router.post(
    "",
    status_code=201,
    response_model=Campaign,
    operation_id="create_campaign",
    responses=PREVIEWED
    | problems(FirmwareWithdrawn, UnknownFirmware, UnknownGroup, EmptyGroup, UnknownCampaign, NotEnded, EmptyTarget),
)
async def create(
    new: NewCampaign,
    wanted: Annotated[CreateOptions, Query()],
    who: Operator,
    pool: Database,
    once: OnlyOnce,
) -> Campaign | JSONResponse:
    """Creates a campaign over the devices that are in the group now, or that another campaign has not updated by now.

    It begins with `start`: devices that were skipped for their type or version are looked at once more then.
    """
    if wanted.preview:
        return JSONResponse((await preview.preview(pool, who, new)).model_dump(mode="json"))
    return await campaigns.create(pool, who, once, new)


@router.get("", operation_id="list_campaigns")
async def list_campaigns(wanted: Annotated[CampaignFilter, Query()], who: Viewer, pool: Database) -> CampaignList:
    """Lists campaigns, newest first."""
    views, total = await campaigns.search(pool, who, wanted)
    page = listed(views, wanted, min(total, COUNTED_TO), lambda view: [view.id], capped=total > COUNTED_TO)
    return CampaignList(campaigns=[view.answer() for view in views[: wanted.limit]], **page)


@router.get("/{campaign_id}", operation_id="get_campaign", responses=problems(CampaignNotFound))
async def get(campaign_id: RowId, who: Viewer, pool: Database) -> Campaign:
    """One campaign, with its counts."""
    return (await campaigns.find(pool, who, campaign_id)).answer()


@router.delete(
    "/{campaign_id}", status_code=204, operation_id="delete_campaign", responses=problems(CampaignNotFound, WrongState)
)
async def delete(campaign_id: RowId, who: Admin, pool: Database) -> None:
    """Deletes a campaign that was never started."""
    await campaigns.delete(pool, who, campaign_id)


def _controlled(answer: ControlledCampaign, response: Response) -> ControlledCampaign:
    if answer.control == "pending":
        response.status_code = ACCEPTED
    return answer


@router.post(
    "/{campaign_id}/start", operation_id="start_campaign", responses=PENDING | problems(*CONTROL, FirmwareWithdrawn)
)
async def start(
    campaign_id: RowId, control: Controlling, response: Response, body: Reason = NO_REASON
) -> ControlledCampaign:
    """Starts a campaign, or resumes a paused one. 202: saved, but the dispatchers may not know it yet."""
    return _controlled(await control.start(campaign_id, body.reason), response)


@router.post("/{campaign_id}/pause", operation_id="pause_campaign", responses=PENDING | problems(*CONTROL))
async def pause(
    campaign_id: RowId, control: Controlling, response: Response, body: Reason = NO_REASON
) -> ControlledCampaign:
    """Pauses: after a 200 no command is sent later than 250 ms. Devices at work go on."""
    return _controlled(await control.pause(campaign_id, body.reason), response)


@router.post("/{campaign_id}/abort", operation_id="abort_campaign", responses=PENDING | problems(*CONTROL))
async def abort(
    campaign_id: RowId, control: Controlling, response: Response, body: Reason = NO_REASON
) -> ControlledCampaign:
    """Ends a campaign for good: waiting devices are skipped, devices at work go on."""
    return _controlled(await control.abort(campaign_id, body.reason), response)


@router.patch("/{campaign_id}", operation_id="change_campaign_rate", responses=PENDING | problems(*CONTROL))
async def change_rate(
    campaign_id: RowId, body: NewRate, control: Controlling, response: Response
) -> ControlledCampaign:
    """Changes the rate of the current stage and all later ones."""
    return _controlled(await control.change_rate(campaign_id, body.rollout_rate), response)


@router.post(
    "/{campaign_id}/retry",
    status_code=ACCEPTED,
    operation_id="retry_campaign",
    responses=problems(*CONTROL, FirmwareWithdrawn, UnknownDevice),
)
async def retry_failed(
    campaign_id: RowId,
    who: Operator,
    pool: Database,
    announcer: Announcing,
    once: OnlyOnce,
    body: Retry = ALL_FAILED,
) -> RetryAccepted:
    """Tries failed devices again, all or the named ones; a completed campaign runs again."""
    return await retry.retry(pool, announcer, who, once, campaign_id, body.device_ids)


@router.post(
    "/{campaign_id}/stages/{number}/approve", operation_id="approve_stage", responses=problems(*CONTROL, StageNotFound)
)
async def approve(
    campaign_id: RowId, number: StageNumber, who: Approver, pool: Database, once: OnlyOnce, body: Reason = NO_REASON
) -> Campaign:
    """Opens the gate behind a stage: one that awaits approval, or one that failed (then `start` goes on).

    A gate that is still to be reached (RUNNING) opens too, if `reason` says why: 422 without one.
    """
    return await approval.approve(pool, who, once, campaign_id, number, body.reason)


@router.get("/{campaign_id}/devices", operation_id="list_campaign_devices", responses=problems(CampaignNotFound))
async def devices(
    campaign_id: RowId, wanted: Annotated[DeviceRowFilter, Query()], who: Viewer, pool: Database
) -> DeviceRowList:
    """Lists the campaign's devices by device id, with what happened to each."""
    rows, total, capped = await campaigns.devices(pool, who, campaign_id, wanted)
    page = listed(rows, wanted, total, lambda row: [row.device_id], capped=capped)
    kept = rows[: wanted.limit]
    return DeviceRowList(devices=[DeviceRow.model_validate(asdict(row)) for row in kept], **page)


@router.post(
    "/{campaign_id}/devices/{device_id}/skip",
    operation_id="skip_campaign_device",
    responses=problems(CampaignNotFound, DeviceNotFound, WrongState),
)
async def skip_device(
    campaign_id: RowId, device_id: NamedInPath, who: Operator, pool: Database, once: OnlyOnce, body: Reason = NO_REASON
) -> DeviceRow:
    """Takes one device out of a campaign for good: SKIPPED, `excluded`.

    Possible while the device is PENDING or QUEUED, and in an ABORTED campaign also while it is at work; what it still
    reports is ignored then. The command of a QUEUED device may still go out, for up to about 95 seconds. Again is
    harmless. 409 for a device at work in a campaign that is not aborted, and for one that has finished.
    """
    return await exclusion.exclude(pool, who, once, campaign_id, device_id, body.reason)


@router.get("/{campaign_id}/timeline", operation_id="get_campaign_timeline", responses=problems(CampaignNotFound))
async def timeline(campaign_id: RowId, who: Viewer, pool: Database) -> Timeline:
    """What happened to the campaign: who or which rule, why, on what evidence."""
    entries = await campaigns.timeline(pool, who, campaign_id)
    return Timeline(entries=[TimelineEntry.model_validate(entry) for entry in entries])
