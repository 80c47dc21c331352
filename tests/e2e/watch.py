"""Looks at a tenant's rows while a test runs: each look is one snapshot, held against what must always be true."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import asyncpg

from pulse.runtime.db import OUTAGES

_FINISHED = """
SELECT campaign_id, device_id, to_jsonb(s)::text AS content FROM ota_device_status s
 WHERE tenant_id = $1 AND status IN ('SUCCESS', 'FAILED', 'SKIPPED')
"""
MISCOUNTED = """
WITH recount AS (
    SELECT campaign_id, stage, k.counter, count(*) AS n FROM ota_device_status
     CROSS JOIN LATERAL (VALUES (status, true), ('dispatched', dispatched_at IS NOT NULL),
           ('failing', failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED'))) k (counter, counts)
     WHERE tenant_id = $1 AND k.counts GROUP BY 1, 2, 3)
SELECT campaign_id, stage, counter, c.n AS counted, r.n AS rows
  FROM recount r FULL JOIN (SELECT * FROM ota_campaign_counters WHERE tenant_id = $1 AND n <> 0) c
       USING (campaign_id, stage, counter)
 WHERE r.n IS DISTINCT FROM c.n
"""
TWICE_ACTIVE = """
SELECT device_id, array_agg(campaign_id) AS campaigns FROM ota_device_status
 WHERE tenant_id = $1 AND status IN ('QUEUED', 'DISPATCHED', 'DOWNLOADING', 'INSTALLING')
 GROUP BY device_id HAVING count(*) > 1
"""
ROWS = "SELECT * FROM ota_device_status WHERE tenant_id = $1 ORDER BY campaign_id, device_id"
CAMPAIGNS = "SELECT * FROM ota_campaigns WHERE tenant_id = $1 ORDER BY id"

Record = Mapping[str, Any]


class Watch:
    """What was seen of one tenant; `broken` has a sentence for each thing that must not be."""

    def __init__(self, database: asyncpg.Pool, tenant: str) -> None:
        self._database = database
        self._tenant = tenant
        self._finished: dict[tuple[int, str], str] = {}
        self._may_change: set[str] = set()
        self.broken: set[str] = set()
        self.looks = 0

    async def look(self) -> None:
        """One snapshot; none while the database is away."""
        try:
            async with (
                asyncio.timeout(5),
                self._database.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                finished = await connection.fetch(_FINISHED, self._tenant)
                miscounted = await connection.fetch(MISCOUNTED, self._tenant)
                twice = await connection.fetch(TWICE_ACTIVE, self._tenant)
        except OUTAGES:
            return
        self.looks += 1
        self._compare({(row["campaign_id"], row["device_id"]): row["content"] for row in finished})
        self.broken.update(f"counter and rows differ: {dict(row)}" for row in miscounted)
        self.broken.update(f"two active updates: {dict(row)}" for row in twice)

    def _compare(self, finished: dict[tuple[int, str], str]) -> None:
        for key, content in self._finished.items():
            if finished.get(key) != content and content not in self._may_change:
                self.broken.add(f"a finished row has changed: {content} became {finished.get(key, 'unfinished')}")
        self._finished = {k: v for k, v in self._finished.items() if v not in self._may_change} | finished

    def retried(self, campaign_id: int) -> None:
        """An operator tries the failed devices of a campaign again: as they were seen last, their rows may change."""
        own = [content for (campaign, _), content in self._finished.items() if campaign == campaign_id]
        self._may_change.update(content for content in own if json.loads(content)["status"] == "FAILED")

    async def rows(self) -> list[Record]:
        """All device rows of the tenant."""
        return await self._fetch(ROWS)

    async def campaigns(self) -> list[Record]:
        return await self._fetch(CAMPAIGNS)

    async def _fetch(self, query: str) -> list[Record]:
        async with asyncio.timeout(10):
            return [dict(row) for row in await self._database.fetch(query, self._tenant)]
