"""HTTP: `/customer/ota/overview` and `/customer/ota/firmware-usage`."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from campaign_svc.campaigns.campaign_schemas import FailureReason
from campaign_svc.doors import Database
from campaign_svc.insight import overview
from campaign_svc.insight.overview_schemas import (
    FirmwareUsage,
    Overview,
    UsageFilter,
    UsingCampaign,
    VersionCount,
    Waiting,
)
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Viewer
from pulse.runtime.described import problems

router = APIRouter(prefix="/customer/ota", tags=["overview"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES)


@router.get("/overview", operation_id="get_overview")
async def get_overview(who: Viewer, pool: Database) -> Overview:
    """What waits for a person, what runs, which versions are in the field, what fails, who was heard."""
    seen = await overview.look(pool, who)
    return Overview(
        waiting=[Waiting.model_validate(asdict(one)) for one in seen.waiting],
        running=[view.answer() for view in seen.running],
        versions=[VersionCount(**asdict(one)) for one in seen.versions],
        failures=[FailureReason(error_code=code, devices=attempts) for code, attempts in seen.failures],
        devices_total=seen.devices_total,
        heard_last_hour=seen.heard_last_hour,
    )


@router.get("/firmware-usage", operation_id="get_firmware_usage", responses=problems(overview.FirmwareNotFound))
async def get_firmware_usage(wanted: Annotated[UsageFilter, Query()], who: Viewer, pool: Database) -> FirmwareUsage:
    """What withdrawing a firmware version would concern."""
    usage = await overview.firmware_usage(pool, who, wanted.firmware_version_id)
    return FirmwareUsage(
        devices=usage.devices, campaigns=[UsingCampaign.model_validate(asdict(one)) for one in usage.campaigns]
    )
