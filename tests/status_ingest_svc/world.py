"""Campaigns and devices as campaign-svc leaves them, and what a user could see of them afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import asyncpg

from pulse.contracts.kafka import DispatchResult, Outcome, encode
from pulse.contracts.status import ACTIVE, Row, Status, Wait

TENANT = "acme"
VERSION = "2.0"
COLUMNS = "campaign_id, device_id, tenant_id, rank, status, attempt, failures, wait, skip_reason, offline_tries"
QUEUED = Row(Status.QUEUED, 1, 0)
_serial = count(1)


def names(number: int) -> list[str]:
    """Device ids that no other test uses."""
    batch = next(_serial)
    return [f"d{batch}-{n}" for n in range(number)]


@dataclass(frozen=True, slots=True)
class World:
    """The database as its superuser sees it."""

    sql: asyncpg.Connection

    async def register(self, devices: Iterable[str], tenant: str = TENANT, version: str = "1.0") -> None:
        await self.sql.execute(
            """INSERT INTO devices (tenant_id, device_id, device_type, current_version)
               SELECT $1, d, 'gw2', $3 FROM unnest($2::text[]) d""",
            tenant,
            list(devices),
            version,
        )

    async def campaign(
        self,
        devices: Sequence[str] = (),
        row: Row = QUEUED,
        *,
        tenant: str = TENANT,
        max_attempts: int = 3,
        offline_tries: int = 0,
    ) -> int:
        """A running campaign to VERSION, with the same row for each of `devices`."""
        number = await self._campaign(tenant, max_attempts)
        await self.rows(number, [(device, row) for device in devices], tenant=tenant, offline_tries=offline_tries)
        return number

    async def _campaign(self, tenant: str, max_attempts: int) -> int:
        firmware = await self.sql.fetchval(
            """INSERT INTO firmware_versions (tenant_id, version, file_url, file_size_bytes, checksum_sha256,
                                              created_by)
               VALUES ($1, $2, 'http://files/f', 1, repeat('a', 64), 'test')
               ON CONFLICT (tenant_id, version, device_type) DO NOTHING RETURNING id""",
            tenant,
            VERSION,
        ) or await self.sql.fetchval(
            "SELECT id FROM firmware_versions WHERE tenant_id = $1 AND version = $2", tenant, VERSION
        )
        number: int = await self.sql.fetchval(
            """INSERT INTO ota_campaigns (tenant_id, name, firmware_version_id, firmware_version, target_group_id,
                   rollout_strategy, rollout_rate, abort_rule, abort_threshold, abort_min_devices, abort_confidence,
                   max_attempts, attempt_timeout_seconds, ramp_factor, status, epoch, created_by)
               VALUES ($1, 'c', $2, $3, 'g', 'linear', 60, 'ratio', 0.1, 1, 0.95, $4, 3600, 1, 'RUNNING', 1, 'test')
               RETURNING id""",
            tenant,
            firmware,
            VERSION,
            max_attempts,
        )
        return number

    async def rows(
        self, campaign: int, rows: Sequence[tuple[str, Row]], *, tenant: str = TENANT, offline_tries: int = 0
    ) -> None:
        await self.sql.executemany(
            f"INSERT INTO ota_device_status ({COLUMNS}) VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9)",
            [
                (
                    campaign,
                    device,
                    tenant,
                    row.status.value,
                    row.attempt,
                    row.failures,
                    row.wait.value if row.wait else None,
                    "aborted" if row.status is Status.SKIPPED else None,
                    offline_tries,
                )
                for device, row in rows
            ],
        )

    async def row(self, campaign: int, device: str) -> asyncpg.Record:
        found = await self.sql.fetchrow(
            "SELECT * FROM ota_device_status WHERE campaign_id = $1 AND device_id = $2", campaign, device
        )
        assert found is not None
        return found

    async def until_somebody_waits(self) -> None:
        """Returns when a transaction waits for another one's lock in this database."""
        waiting = """SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                      WHERE NOT l.granted AND a.datname = current_database()"""
        async with asyncio.timeout(10):
            while not await self.sql.fetchval(waiting):
                await asyncio.sleep(0.01)

    async def statuses(self, campaign: int) -> dict[str, int]:
        """How many devices are in which status, from the rows."""
        records = await self.sql.fetch(
            "SELECT status, count(*) FROM ota_device_status WHERE campaign_id = $1 GROUP BY 1", campaign
        )
        return {record["status"]: record["count"] for record in records}

    async def device(self, device: str, tenant: str = TENANT) -> asyncpg.Record:
        found = await self.sql.fetchrow("SELECT * FROM devices WHERE tenant_id = $1 AND device_id = $2", tenant, device)
        assert found is not None
        return found

    async def members(self) -> list[dict[str, Any]]:
        return [dict(record) for record in await self.sql.fetch("SELECT * FROM ingest_members ORDER BY ordinal")]

    @asynccontextmanager
    async def held(self, campaign: int, device: str) -> AsyncIterator[None]:
        """Holds the row's lock: whoever wants to write it waits."""
        async with self.sql.transaction():
            await self.sql.execute(
                "SELECT FROM ota_device_status WHERE campaign_id = $1 AND device_id = $2 FOR UPDATE", campaign, device
            )
            yield

    async def somebody_waits(self) -> bool:
        """Whether another connection waits for a row."""
        found = await self.sql.fetchval(
            """SELECT EXISTS (SELECT FROM pg_stat_activity
                               WHERE datname = current_database() AND wait_event_type = 'Lock')"""
        )
        return bool(found)

    async def end_who_waits(self) -> None:
        """Ends connections that wait for a row: a client's death alone does not, what it has said is carried out."""
        await self.sql.execute(
            """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        )

    async def assert_counters_equal_rows(self, campaign: int) -> None:
        records = await self.sql.fetch(
            "SELECT counter, sum(n)::bigint FROM ota_campaign_counters WHERE campaign_id = $1 GROUP BY 1", campaign
        )
        counters: dict[str, int] = {counter: n for counter, n in records if n}
        beside = {name: counters.pop(name, 0) for name in ("dispatched", "failing", *Wait)}
        assert counters == await self.statuses(campaign)
        in_rows = await self.sql.fetchrow(
            """SELECT count(dispatched_at) AS dispatched,
                      count(*) FILTER (WHERE failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED')) AS failing,
                      count(*) FILTER (WHERE wait = 'offline') AS offline,
                      count(*) FILTER (WHERE wait = 'refused') AS refused,
                      count(*) FILTER (WHERE wait = 'retry') AS retry
                 FROM ota_device_status WHERE campaign_id = $1""",
            campaign,
        )
        assert in_rows is not None
        assert beside == dict(in_rows)


@asynccontextmanager
async def world(dsn: str) -> AsyncIterator[World]:
    connection = await asyncpg.connect(dsn)
    try:
        yield World(connection)
    finally:
        await connection.close()


def as_row(record: asyncpg.Record) -> Row:
    return Row(Status(record["status"]), record["attempt"], record["failures"], record["wait"])


def is_possible(row: Row) -> bool:
    """Whether the table's own checks allow a row."""
    if row.wait is not None and row.status is not Status.PENDING:
        return False
    return row.attempt > 0 or row.status not in ACTIVE


def result(campaign: int, device: str, outcome: Outcome, attempt: int = 1, reason_code: int | None = None) -> bytes:
    """A dispatch result as it is in Kafka."""
    return encode(
        DispatchResult(
            tenant_id=TENANT,
            campaign_id=campaign,
            device_id=device,
            attempt=attempt,
            outcome=outcome,
            reason_code=reason_code,
            at=datetime.now(UTC),
        )
    )
