"""HTTP: `/customer/ota/campaigns/{campaign_id}/history`."""

from typing import Any

from fastapi import APIRouter

from campaign_svc.doors import Database
from campaign_svc.insight import history
from campaign_svc.insight.history_schemas import History, HistoryMark, HistoryPoint
from campaign_svc.insight.history_store import Point
from campaign_svc.refusals import CampaignNotFound
from pulse.contracts.status import Status
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Viewer
from pulse.runtime.described import problems
from pulse.runtime.rest import RowId

router = APIRouter(
    prefix="/customer/ota/campaigns", tags=["campaigns"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES
)


@router.get("/{campaign_id}/history", operation_id="get_campaign_history", responses=problems(CampaignNotFound))
async def get_history(campaign_id: RowId, who: Viewer, pool: Database) -> History:
    """How the campaign has gone so far, in at most 600 points however long it runs."""
    found = await history.read(pool, who, campaign_id)
    return History(
        resolution_seconds=found.resolution,
        points=[_point(point) for point in found.points],
        marks=[_mark(entry) for entry in found.entries],
    )


def _point(point: Point) -> HistoryPoint:
    counts = {status: point.counts.get(status, 0) for status in Status}
    promised = round(point.promised, 1)
    return HistoryPoint(at=point.at, promised=promised, counts=counts, failed_attempts=point.failed_attempts)


def _mark(entry: dict[str, Any]) -> HistoryMark:
    return HistoryMark(at=entry["at"], event=entry["event"], stage=entry["detail"].get("stage"), detail=entry["reason"])
