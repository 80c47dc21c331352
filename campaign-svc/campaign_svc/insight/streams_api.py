"""HTTP: server-sent events at `/customer/ota/campaigns/{campaign_id}/events` and `/customer/ota/events`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse

from campaign_svc.campaigns.campaign_schemas import Campaign
from campaign_svc.doors import Database
from campaign_svc.insight import streams
from campaign_svc.insight.feeds import Feeds, look
from campaign_svc.insight.streams_schemas import Beat, CampaignChanges
from campaign_svc.refusals import CampaignNotFound
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Viewer
from pulse.runtime.described import problems
from pulse.runtime.rest import RowId

router = APIRouter(prefix="/customer/ota", tags=["events"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES)
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
ID = "`id` is a number that grows with every change; `beat` comes every two seconds while all is well"


class EventStream(StreamingResponse):
    """Events as they come. Not FastAPI's own class, which gives each reader a task, a queue and a timer."""

    media_type = "text/event-stream"


def _feeds(request: Request) -> Feeds:
    feeds: Feeds = request.app.state.feeds
    return feeds


def _last(
    last_event_id: Annotated[
        str | None, Header(description="The last `id` of an earlier stream, in decimal digits: numbers go on from it.")
    ] = None,
) -> int | None:
    """What no stream of ours ever gave is as good as none: the present comes first in any case."""
    digits = last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit()
    return int(last_event_id) if last_event_id and digits and len(last_event_id) <= 16 else None


Watching = Annotated[Feeds, Depends(_feeds)]
LastEventId = Annotated[int | None, Depends(_last)]


def _described(model: Any, data: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": f"{data}; {ID}"}}


def _answer(events: AsyncIterator[bytes]) -> EventStream:
    return EventStream(events, headers=HEADERS)


@router.get(
    "/campaigns/{campaign_id}/events",
    operation_id="watch_campaign",
    response_class=EventStream,
    responses=_described(Campaign | Beat, "The data of `campaign` is a Campaign, of `beat` a Beat")
    | problems(CampaignNotFound),
)
async def watch_campaign(
    campaign_id: RowId, who: Viewer, pool: Database, feeds: Watching, last: LastEventId
) -> EventStream:
    """The campaign as it is now, and again at most once a second when something changed."""
    first = await look(pool, who.tenant, [campaign_id])
    if campaign_id not in first.campaigns:
        raise CampaignNotFound(f"there is no campaign {campaign_id}")
    return _answer(streams.campaign_events(feeds, who, campaign_id, first, last))


@router.get(
    "/events",
    operation_id="watch_campaigns",
    response_class=EventStream,
    responses=_described(CampaignChanges | Beat, "The data of `campaigns` is CampaignChanges, of `beat` a Beat"),
)
async def watch_campaigns(who: Viewer, feeds: Watching, last: LastEventId) -> EventStream:
    """Campaigns that have not ended (or have just), and again those that changed, at most once a second."""
    return _answer(streams.list_events(feeds, who, last))
