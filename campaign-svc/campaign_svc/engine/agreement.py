"""Topic and rows are made to agree: campaigns whose last control record is not what their row says are announced again.

So an announcement that was lost, or that overtook a newer one, heals by itself; as does a row that is behind the topic.
"""

import asyncio
import time
from collections.abc import Iterable

import structlog

from campaign_svc.announce import Announcer
from campaign_svc.engine.control_topic import ControlTopic
from campaign_svc.engine.live_store import Announced, to_announce
from campaign_svc.engine.lost_changes import has_lost, make_up
from campaign_svc.metrics import DISAGREEING, OUTAGES
from pulse.runtime import db
from pulse.runtime.db import Pool
from pulse.runtime.process import pause

AGAIN_SECONDS = 2.0
"""How long a disagreement may last before it is announced (again): whoever made the change announces it first."""
AT_ONCE = 20
OUTAGE_SECONDS = 2.0

log = structlog.get_logger()


class Agreement:
    """Compares the control topic with the rows of campaigns that are live or ended within 24 hours."""

    def __init__(self, pool: Pool, topic: ControlTopic, announcer: Announcer, tick_seconds: float) -> None:
        self._pool = pool
        self._topic = topic
        self._announcer = announcer
        self._tick = tick_seconds
        self._due: dict[int, float] = {}

    async def keep(self, stop: asyncio.Event) -> None:
        """Compares once a tick until `stop`; waits out a database that is away."""
        while not await pause(stop, self._tick):
            try:
                if self._topic.read_to_end:
                    await self._announce(self.due(await to_announce(self._pool), time.monotonic()))
            except* db.OUTAGES as outage:
                OUTAGES.labels("agreement").inc()
                log.warning("database_away", loop="agreement", error=repr(outage.exceptions[0]))
                await pause(stop, OUTAGE_SECONDS)

    def due(self, rows: Iterable[Announced], moment: float) -> list[Announced]:
        """The campaigns to announce at `moment` (monotonic seconds): those that have disagreed for long enough."""
        wrong = {row.campaign_id: row for row in rows if not self._agrees(row)}
        self._due = {number: self._due.get(number, moment + AGAIN_SECONDS) for number in wrong}
        DISAGREEING.set(len(wrong))
        due = [row for number, row in wrong.items() if self._due[number] <= moment][:AT_ONCE]
        self._due |= {row.campaign_id: moment + AGAIN_SECONDS for row in due}
        return due

    def _agrees(self, row: Announced) -> bool:
        says, heard = self._topic.says(row.campaign_id), self._topic.heard(row.campaign_id)
        return says == (row.epoch, row.status) and (heard is None or not has_lost(row.status, row.epoch, heard))

    async def _announce(self, due: list[Announced]) -> None:
        """All of them at once, each awaited: a campaign never has two announcements of this loop on their way."""
        async with asyncio.TaskGroup() as group:
            for row in due:
                group.create_task(self._put_right(row), name=f"announce-{row.campaign_id}")

    async def _put_right(self, row: Announced) -> None:
        heard = self._topic.heard(row.campaign_id)
        if heard is not None and has_lost(row.status, row.epoch, heard):
            await make_up(self._pool, row.campaign_id, heard)
        log.info("announcing_again", campaign_id=row.campaign_id)
        await self._announcer.announce(row.tenant_id, row.campaign_id)
