"""What is watched: one look at the database a second for each tenant, however many watch.

A watcher never has a queue: it is woken after each look, and takes what is latest then, however slow it is.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from campaign_svc.campaigns import campaigns
from campaign_svc.campaigns.campaign_schemas import Campaign
from campaign_svc.insight import figures_store, streams_store
from campaign_svc.insight.streams_schemas import CampaignSummary
from campaign_svc.metrics import LOOKS, OUTAGES, WATCHERS
from pulse.runtime import db
from pulse.runtime.db import Pool, transaction
from pulse.runtime.process import pause

SECONDS = 1.0
"""Between two looks."""
LOOK_TIMEOUT = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """A campaign as JSON: its answer, and the summary for lists. Written once, whoever and however many are told."""

    answer: str
    summary: str


@dataclass(frozen=True, slots=True)
class Sight:
    """Campaigns as one look saw them, begun at `at` of the database's clock, which all replicas share.

    It looked for the campaigns in `asked`, and for the list if `listed`; a campaign may be part of both.
    """

    at: datetime
    asked: frozenset[int]
    listed: bool
    campaigns: dict[int, Seen]

    def covers(self, campaign_id: int | None) -> bool:
        """Whether it looked for this campaign, or for the list (None): a watcher may have come in the middle."""
        return self.listed if campaign_id is None else campaign_id in self.asked

    @property
    def number(self) -> int:
        """Grows from look to look, over all replicas: microseconds since 1970."""
        return int(self.at.timestamp() * 1_000_000)

    def share(self, earlier: "Sight") -> None:
        """What is as it was is the same object as in the earlier sight: cheap to keep, and to compare with."""
        for number, seen in self.campaigns.items():
            before = earlier.campaigns.get(number)
            if before == seen:
                self.campaigns[number] = before


async def look(pool: Pool, tenant: str, campaign_ids: Sequence[int] = (), *, listed: bool = False) -> Sight:
    """These campaigns of the tenant, as far as there are, and, if `listed`, all that have not ended (or have just)."""
    async with transaction(pool, tenant) as conn:
        at = await figures_store.moment(conn)
        records = await streams_store.watched(conn, tenant, campaign_ids, listed=listed)
        views = await campaigns.views(conn, records)
    seen = {view.id: _seen(view.answer()) for view in views}
    return Sight(at, frozenset(campaign_ids), listed, seen)


def _seen(campaign: Campaign) -> Seen:
    summary = CampaignSummary.model_validate(campaign, from_attributes=True)
    return Seen(campaign.model_dump_json(), summary.model_dump_json())


class Feed:
    """A tenant's campaigns as the latest look saw them."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.sight: Sight | None = None
        self._campaigns: Counter[int] = Counter()
        self._lists = 0
        self._turn = asyncio.Event()
        self._closed = False

    @property
    def watchers(self) -> int:
        return self._campaigns.total() + self._lists

    def come(self, campaign_id: int | None, sign: int = 1) -> None:
        """One more watcher of a campaign, or of the list (None); with sign -1 one less."""
        if campaign_id is None:
            self._lists += sign
        else:
            self._campaigns[campaign_id] += sign
            if not self._campaigns[campaign_id]:
                del self._campaigns[campaign_id]

    async def look(self, pool: Pool) -> None:
        """Takes a look and wakes every watcher."""
        sight = await look(pool, self.tenant, list(self._campaigns), listed=self._lists > 0)
        if self.sight is not None:
            sight.share(self.sight)
        self.sight = sight
        self._wake()

    async def following(self, campaign_id: int | None) -> Sight | None:
        """The next look for a campaign, or for the list (None); of those missed meanwhile nothing.

        None: there will be no more.
        """
        while not self._closed:
            await self._turn.wait()
            if self.sight is not None and self.sight.covers(campaign_id):
                break
        return None if self._closed else self.sight

    def close(self) -> None:
        """Ends all that watch."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._turn.set()
        self._turn = asyncio.Event()


class Feeds:
    """All tenants' feeds that somebody watches in this process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._feeds: dict[str, Feed] = {}
        self._stopped = False

    @contextmanager
    def watch(self, tenant: str, campaign_id: int | None) -> Iterator[Feed]:
        """The tenant's feed, which looks at this campaign, or at the list (None), until the context ends."""
        feed = self._feeds.setdefault(tenant, Feed(tenant))
        if self._stopped:
            feed.close()
        feed.come(campaign_id)
        WATCHERS.inc()
        try:
            yield feed
        finally:
            feed.come(campaign_id, -1)
            WATCHERS.dec()
            if feed.watchers == 0:
                self._feeds.pop(tenant, None)

    async def run(self, stop: asyncio.Event) -> None:
        """Looks once a second while somebody watches; at `stop` all watching ends at once."""
        try:
            while not await pause(stop, SECONDS):
                for feed in list(self._feeds.values()):
                    await self._look(feed)
        finally:
            self._stopped = True
            for feed in self._feeds.values():
                feed.close()

    async def _look(self, feed: Feed) -> None:
        """While the database is away watchers hear nothing, not even a beat: what they show is not the present."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                await feed.look(self._pool)
            LOOKS.inc()
        except db.OUTAGES as error:
            OUTAGES.labels("feeds").inc()
            log.warning("database_away", loop="feeds", error=repr(error))
