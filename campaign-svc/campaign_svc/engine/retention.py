"""What is old is deleted, a chunk at a time: campaigns that finished long ago, idempotency keys after their day."""

import asyncio

import structlog

from campaign_svc.engine import retention_store as store
from campaign_svc.metrics import DELETED, OUTAGES
from pulse.runtime import db
from pulse.runtime.db import Pool, transaction
from pulse.runtime.once import KEPT_HOURS
from pulse.runtime.process import pause

LOOK_SECONDS = 60.0
"""How often it looks for campaigns that are old enough."""

log = structlog.get_logger()


class Retention:
    """Keeps finished campaigns for `days` days (0: for ever); replicas share the work."""

    def __init__(self, pool: Pool, days: int, chunk_rows: int) -> None:
        self._pool = pool
        self._days = days
        self._chunk_rows = chunk_rows

    async def keep(self, stop: asyncio.Event) -> None:
        """Deletes until `stop`; waits out a database that is away."""
        while not await pause(stop, LOOK_SECONDS):
            try:
                while self._days and await self.delete_chunk() and not stop.is_set():
                    continue
                while await self.delete_keys() and not stop.is_set():
                    continue
            except db.OUTAGES as error:
                OUTAGES.labels("retention").inc()
                log.warning("database_away", loop="retention", error=repr(error))
            except db.RACES as error:
                log.info("retention_met_another", error=repr(error))

    async def delete_chunk(self) -> bool:
        """Deletes a chunk of the rows of one campaign that is old enough, and the campaign with its last row.

        False: there is none, or other replicas are at them.
        """
        async with transaction(self._pool) as conn:
            campaign_id = await store.take_old(conn, self._days)
            if campaign_id is None:
                return False
            if await store.delete_rows(conn, campaign_id, self._chunk_rows) < self._chunk_rows:
                await store.delete_campaign(conn, campaign_id)
                DELETED.inc()
                log.info("campaign_deleted", campaign_id=campaign_id, after_days=self._days)
        return True

    async def delete_keys(self) -> bool:
        """Deletes a chunk of the idempotency keys that are a day old; whether there may be more."""
        async with transaction(self._pool) as conn:
            return await store.delete_keys(conn, KEPT_HOURS, self._chunk_rows) == self._chunk_rows
