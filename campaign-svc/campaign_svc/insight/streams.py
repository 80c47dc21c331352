"""Server-sent events of campaigns: the present first, then what changes, and beats that say that all is well."""

import time
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, timedelta

from fastapi.sse import format_sse_event

from campaign_svc.insight.feeds import Feeds, Sight
from campaign_svc.insight.streams_schemas import Beat
from pulse.runtime.auth import Principal

BEAT = timedelta(seconds=2)
_EARLY = timedelta(seconds=0.5)


class Stream:
    """One reader's numbers and beats. Numbers grow from event to event, and on from the `last` of an earlier stream."""

    def __init__(self, who: Principal, last: int | None) -> None:
        self._expires_at = who.expires_at
        self._beat_at: datetime | None = None
        self._last = last or 0

    @property
    def expired(self) -> bool:
        """The reader's token is not valid any more."""
        return time.time() > self._expires_at

    def event(self, name: str, data: str, number: int) -> bytes:
        self._last = max(number, self._last + 1)
        return format_sse_event(event=name, data_str=data, id=str(self._last))

    def beat(self, at: datetime) -> bytes | None:
        """None: the last one is not two seconds old, or this is the first look."""
        last, due = self._beat_at, self._beat_at is None or at - self._beat_at >= BEAT - _EARLY
        if due:
            self._beat_at = at
        if last is None or not due:
            return None
        return format_sse_event(event="beat", data_str=Beat(at=at).model_dump_json())


async def campaign_events(
    feeds: Feeds, who: Principal, campaign_id: int, first: Sight, last: int | None
) -> AsyncGenerator[bytes, None]:
    """From `first`, which has the campaign, until it is gone, the token expires or the process stops."""
    stream = Stream(who, last)
    told = first.campaigns[campaign_id].answer
    yield stream.event("campaign", told, first.number)
    with feeds.watch(who.tenant, campaign_id) as feed:
        while (sight := await feed.following(campaign_id)) and not stream.expired:
            seen = sight.campaigns.get(campaign_id)
            if seen is None:
                return
            if seen.answer != told and sight.at > first.at:
                told = seen.answer
                yield stream.event("campaign", told, sight.number)
            if beat := stream.beat(sight.at):
                yield beat


async def list_events(feeds: Feeds, who: Principal, last: int | None) -> AsyncGenerator[bytes, None]:
    """The tenant's list: all of the next look, then what changes, until the token expires or the process stops.

    A list may be long: those who come are told by the look that all are told by, within a second.
    """
    stream = Stream(who, last)
    told: dict[int, str] | None = None
    with feeds.watch(who.tenant, None) as feed:
        while (sight := await feed.following(None)) and not stream.expired:
            present = {number: seen.summary for number, seen in sight.campaigns.items()}
            changed = [summary for number, summary in present.items() if told is None or told.get(number) != summary]
            if changed or told is None:
                yield stream.event("campaigns", _changes(changed), sight.number)
            told = present
            if beat := stream.beat(sight.at):
                yield beat


def _changes(summaries: Iterable[str]) -> str:
    """CampaignChanges, of summaries that are JSON already."""
    return f'{{"campaigns":[{",".join(summaries)}]}}'
