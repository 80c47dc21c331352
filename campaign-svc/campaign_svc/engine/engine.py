"""The loops of campaigns: a tick that looks at what each live campaign's rows say, so that nothing can be missed."""

import asyncio
import time

import structlog
from aiokafka import AIOKafkaProducer

from campaign_svc.announce import Announcer
from campaign_svc.engine import backlog
from campaign_svc.engine.agreement import Agreement
from campaign_svc.engine.aside import Aside
from campaign_svc.engine.control_topic import ControlTopic
from campaign_svc.engine.judge import judge
from campaign_svc.engine.live import LiveCampaign
from campaign_svc.engine.live_store import live_ids, look
from campaign_svc.engine.progress import Progress
from campaign_svc.engine.retention import Retention
from campaign_svc.engine.rollout import Rollout, releasable
from campaign_svc.engine.shown import SHOWN
from campaign_svc.insight import chronicle
from campaign_svc.metrics import ASIDE, ERRORS, LIVE, OUTAGES, RACES, TICK_SECONDS
from campaign_svc.settings import CampaignSettings
from pulse.runtime import db
from pulse.runtime.db import Pool
from pulse.runtime.process import pause

AT_ONCE = 8
"""Campaigns that are worked on at the same moment."""
POOL_SIZE = AT_ONCE + 6
"""Connections that the loops need: one for each campaign at hand, to list, chronicle and measure, some to announce."""
OUTAGE_SECONDS = (0.5, 5.0)
"""The pause after the first failure in a row, doubled up to the longest."""

log = structlog.get_logger()


async def run(
    settings: CampaignSettings, pool: Pool, kafka: AIOKafkaProducer, partitions: int, stop: asyncio.Event
) -> None:
    """All loops until `stop`. `pool` belongs to the role of the loops, `partitions` to the topic of requests.

    Outages of the database and of Kafka are waited out. An unexpected error of one campaign sets that campaign aside
    for a while; one of the loops themselves ends them and so the process.
    """
    announcer = Announcer(pool, kafka, settings.announce_timeout_seconds)
    topic = ControlTopic(settings.kafka)
    agreement = Agreement(pool, topic, announcer, settings.tick_seconds)
    progress = Progress(pool, announcer, settings)
    engine = Engine(pool, progress, Rollout(pool, kafka, settings, partitions), settings)
    async with asyncio.TaskGroup() as group:
        group.create_task(topic.follow(stop), name="control-topic")
        group.create_task(agreement.keep(stop), name="agreement")
        group.create_task(engine.tick_all(stop), name="tick")
        group.create_task(chronicle.keep(pool, stop), name="chronicle")
        group.create_task(backlog.keep(settings.kafka, pool, stop), name="backlog")
        group.create_task(Retention(pool, settings.retention_days, settings.chunk_rows).keep(stop), name="retention")


class Engine:
    """Ticks campaigns side by side: a busy one never holds up another's tick, only its own next one."""

    def __init__(self, pool: Pool, progress: Progress, rollout: Rollout, settings: CampaignSettings) -> None:
        self._pool = pool
        self._progress = progress
        self._rollout = rollout
        self._settings = settings
        self._at_hand: set[int] = set()
        self._aside = Aside()
        self._room = asyncio.Semaphore(AT_ONCE)

    async def tick_all(self, stop: asyncio.Event) -> None:
        """Starts a tick of each live campaign every TICK_SECONDS; ticks at hand are ended before this returns."""
        pause_seconds = self._settings.tick_seconds
        async with asyncio.TaskGroup() as group:
            while not await pause(stop, pause_seconds):
                try:
                    live = await live_ids(self._pool)
                except db.OUTAGES as error:
                    OUTAGES.labels("tick").inc()
                    log.warning("database_away", loop="tick", error=repr(error))
                    pause_seconds = min(OUTAGE_SECONDS[1], max(OUTAGE_SECONDS[0], 2 * pause_seconds))
                    continue
                pause_seconds = self._settings.tick_seconds
                LIVE.set(len(live))
                SHOWN.keep(live)
                self._aside.keep_only(live)
                ASIDE.set(len(self._aside))
                for campaign_id in live:
                    if campaign_id not in self._at_hand and campaign_id not in self._aside:
                        self._at_hand.add(campaign_id)
                        group.create_task(self._guarded(campaign_id, stop), name=f"tick-{campaign_id}")

    async def _guarded(self, campaign_id: int, stop: asyncio.Event) -> None:
        """A tick that met another transaction, or finds the database away, is left to the next one."""
        try:
            async with self._room:
                if stop.is_set():
                    return
                with TICK_SECONDS.time():
                    await self.tick(campaign_id)
            self._aside.release(campaign_id)
        except db.RACES as error:
            RACES.inc()
            log.info("tick_met_another", campaign_id=campaign_id, error=repr(error))
        except db.OUTAGES as error:
            OUTAGES.labels("campaign").inc()
            log.warning("database_away", loop="campaign", campaign_id=campaign_id, error=repr(error))
        except Exception:
            ERRORS.inc()
            log.exception("campaign_set_aside", campaign_id=campaign_id, seconds=self._aside.put(campaign_id))
        finally:
            self._at_hand.discard(campaign_id)

    async def tick(self, campaign_id: int) -> None:
        """What is to be done for one campaign now, for about TICK_SECONDS at most; the next tick goes on with it.

        Looked at without a lock first: a campaign that asks for nothing costs a few reads and no commit.
        """
        until = time.monotonic() + self._settings.tick_seconds
        seen = await self._look(campaign_id)
        if seen is not None and seen.taking_in:
            await self._progress.take_in(seen, until)
            seen = await self._look(campaign_id)
        if seen is None:
            return
        SHOWN.note(seen)
        if judge(seen) is not None:
            await self._progress.judge(seen)
        await self._progress.sweep(seen, until)
        await self._progress.retry(seen, until)
        await self._progress.end(seen, until)
        if releasable(seen, self._settings.look_ahead_seconds):
            await self._rollout.release(seen, until)

    async def _look(self, campaign_id: int) -> LiveCampaign | None:
        async with self._pool.acquire(timeout=10) as conn:
            return await look(conn, campaign_id, self._settings.sweep_grace_seconds)
