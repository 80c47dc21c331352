"""What is kept of the past is brought up to date every second: histories, who is slow or stuck, folded counts."""

import asyncio

import structlog

from campaign_svc.engine.shown import SHOWN
from campaign_svc.engine.stops import stops
from campaign_svc.insight import fleet_size, fold_store, history, slowness, stuck
from campaign_svc.metrics import OUTAGES, RACES
from pulse.runtime import db
from pulse.runtime.db import Pool
from pulse.runtime.process import pause

SECONDS = 1.0
SELDOM = 5
"""Every so many seconds: what need not be of this very second."""
OUTAGE_SECONDS = 2.0

log = structlog.get_logger()


async def keep(pool: Pool, stop: asyncio.Event) -> None:
    """Until `stop`; any number of replicas may. Waits out a database that is away."""
    turn = 0
    while not await pause(stop, SECONDS):
        turn += 1
        try:
            await history.record_due(pool)
            if turn % SELDOM == 0:
                await slowness.note(pool)
                await stuck.note(pool)
                SHOWN.note_stops(await stops(pool))
                await fold_store.fold(pool)
                await fleet_size.measure(pool)
        except db.RACES as error:
            RACES.inc()
            log.info("chronicle_met_another", error=repr(error))
        except db.OUTAGES as error:
            OUTAGES.labels("chronicle").inc()
            log.warning("database_away", loop="chronicle", error=repr(error))
            await pause(stop, OUTAGE_SECONDS)
