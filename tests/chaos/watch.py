"""Looks at the rows while something runs: each look is one snapshot, held against what must always be true."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import asyncpg

from pulse.runtime.db import OUTAGES
from tests.chaos.history import CampaignRow, Finished, Line, Looked, Miscounted, Row, TwiceActive, Unfinished

_FINISHED = """
SELECT tenant_id, campaign_id, device_id, status, skip_reason, md5(to_jsonb(s)::text) AS digest
  FROM ota_device_status s
 WHERE tenant_id = ANY($1) AND status IN ('SUCCESS', 'FAILED', 'SKIPPED')
"""
MISCOUNTED = """
WITH recount AS (
    SELECT campaign_id, stage, k.counter, count(*) AS n FROM ota_device_status
     CROSS JOIN LATERAL (VALUES (status, true), ('dispatched', dispatched_at IS NOT NULL),
           ('failing', failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED')),
           (wait, wait IS NOT NULL)) k (counter, counts)
     WHERE tenant_id = ANY($1) AND k.counts GROUP BY 1, 2, 3)
SELECT campaign_id, stage, counter, c.n AS counted, r.n AS rows
  FROM recount r FULL JOIN (SELECT * FROM ota_campaign_counters WHERE tenant_id = ANY($1) AND n <> 0) c
       USING (campaign_id, stage, counter)
 WHERE r.n IS DISTINCT FROM c.n
"""
TWICE_ACTIVE = """
SELECT tenant_id, device_id, array_agg(campaign_id) AS campaigns FROM ota_device_status
 WHERE tenant_id = ANY($1) AND status IN ('QUEUED', 'DISPATCHED', 'DOWNLOADING', 'INSTALLING')
 GROUP BY tenant_id, device_id HAVING count(*) > 1
"""
ROWS = "SELECT * FROM ota_device_status WHERE tenant_id = ANY($1) ORDER BY campaign_id, device_id"
CAMPAIGNS = "SELECT * FROM ota_campaigns WHERE tenant_id = ANY($1) ORDER BY id"
LOOK_SECONDS = 10

Record = Mapping[str, Any]


class Watch:
    """Tells `note` what is new in the rows of some tenants.

    `clock` gives the history's time; the database's time of day is `epoch` later than that.
    """

    def __init__(
        self,
        database: asyncpg.Pool,
        tenants: Iterable[str],
        note: Callable[[Line], object],
        clock: Callable[[], float] = time.monotonic,
        epoch: float = 0.0,
    ) -> None:
        self._database = database
        self._tenants = list(tenants)
        self._note = note
        self._clock = clock
        self._epoch = epoch
        self._finished: dict[tuple[int, str], Record] = {}

    async def look(self) -> None:
        """One snapshot; none while the database is away."""
        try:
            async with (
                asyncio.timeout(LOOK_SECONDS),
                self._database.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                finished = [dict(row) for row in await connection.fetch(_FINISHED, self._tenants)]
                miscounted = [dict(row) for row in await connection.fetch(MISCOUNTED, self._tenants)]
                twice = [dict(row) for row in await connection.fetch(TWICE_ACTIVE, self._tenants)]
        except OUTAGES:
            return
        at = self._clock()
        self._note(Looked(at=at))
        self._compare(at, {(row["campaign_id"], row["device_id"]): row for row in finished})
        for row in miscounted:
            self._note(_miscounted(at, row))
        for row in twice:
            device, campaigns = row["device_id"], list(row["campaigns"])
            self._note(TwiceActive(at=at, tenant=row["tenant_id"], device=device, campaigns=campaigns))

    def _compare(self, at: float, finished: dict[tuple[int, str], Record]) -> None:
        for (campaign, device), row in finished.items():
            before = self._finished.get((campaign, device))
            if before is None or before["digest"] != row["digest"]:
                self._note(_finished(at, row))
        for key in self._finished.keys() - finished.keys():
            tenant = self._finished[key]["tenant_id"]
            self._note(Unfinished(at=at, tenant=tenant, campaign=key[0], device=key[1], status="unfinished"))
        self._finished = finished

    async def rows(self) -> list[Record]:
        """All device rows of the tenants."""
        return await self._fetch(ROWS)

    async def campaigns(self) -> list[Record]:
        return await self._fetch(CAMPAIGNS)

    async def _fetch(self, query: str) -> list[Record]:
        async with asyncio.timeout(LOOK_SECONDS):
            return [dict(row) for row in await self._database.fetch(query, self._tenants)]

    async def end(self) -> list[Line]:
        """What the database says in the end."""
        at = self._clock()
        rows: list[Line] = [self._row(at, row) for row in await self.rows()]
        return rows + [self._campaign(at, row) for row in await self.campaigns()]

    def _row(self, at: float, row: Record) -> Row:
        return Row(
            at=at,
            tenant=row["tenant_id"],
            campaign=row["campaign_id"],
            device=row["device_id"],
            status=row["status"],
            attempt=row["attempt"],
            failures=row["failures"],
            error_code=row["error_code"],
            skip_reason=row["skip_reason"],
            completed_at=self._moment(row["completed_at"]),
        )

    def _campaign(self, at: float, row: Record) -> CampaignRow:
        return CampaignRow(
            at=at,
            tenant=row["tenant_id"],
            campaign=row["id"],
            status=row["status"],
            epoch=row["epoch"],
            completed_at=self._moment(row["completed_at"]),
        )

    def _moment(self, at: Any) -> float | None:
        return None if at is None else float(at.timestamp()) - self._epoch


def _finished(at: float, row: Record) -> Finished:
    return Finished(
        at=at,
        tenant=row["tenant_id"],
        campaign=row["campaign_id"],
        device=row["device_id"],
        status=row["status"],
        digest=row["digest"],
        skip_reason=row["skip_reason"],
    )


def _miscounted(at: float, row: Record) -> Miscounted:
    return Miscounted(
        at=at,
        campaign=row["campaign_id"],
        stage=row["stage"],
        counter=row["counter"],
        counted=row["counted"],
        rows=row["rows"],
    )
