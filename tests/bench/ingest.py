"""Reports per second of one ingest, against rows per second of a bare UPDATE on a copy of the table."""

import time
from collections.abc import Iterator
from functools import partial

import asyncpg

from pulse.contracts.kafka import DEVICE_STATUS
from tests.bench import copies, kafka_tools, progress, raw_mqtt
from tests.bench.figures import Measure, Section
from tests.bench.meter import Meter
from tests.bench.raw_mqtt import device_name
from tests.bench.say import Say
from tests.bench.site import Site
from tests.real_parts import Database
from tests.status_ingest_svc.service import end_sessions
from tests.status_ingest_svc.world import world

DEVICES = 40_000
BATCH = 1_000
PHASES = (("DOWNLOADING", 50), ("INSTALLING", 100), ("SUCCESS", 100))

_ROWS = """
INSERT INTO ota_device_status (campaign_id, device_id, tenant_id, rank, status, attempt, queued_at, not_after,
                               dispatched_at)
SELECT $1, 'd' || lpad(n::text, 7, '0'), 'acme', n, 'DISPATCHED', 1, now(), now(), now()
  FROM generate_series(0, $2::int - 1) n
"""
_DEVICES = """
INSERT INTO devices (tenant_id, device_id, device_type, current_version)
SELECT 'acme', 'd' || lpad(n::text, 7, '0'), 'gw2', '1.0' FROM generate_series(0, $1::int - 1) n
"""
_BARE = """
UPDATE bare s SET status = i.status, progress_pct = i.progress, last_report_at = now(),
       started_at = coalesce(s.started_at, now()), completed_at = CASE WHEN i.status = 'SUCCESS' THEN now() END
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::smallint[]) i (campaign_id, device_id, status, progress)
 WHERE s.campaign_id = i.campaign_id AND s.device_id = i.device_id
"""
DONE = """
SELECT coalesce(sum(n * CASE counter WHEN 'DOWNLOADING' THEN 1 WHEN 'INSTALLING' THEN 2 WHEN 'SUCCESS' THEN 3 END),
                0)::bigint
  FROM ota_campaign_counters WHERE campaign_id = $1 AND counter IN ('DOWNLOADING', 'INSTALLING', 'SUCCESS')
"""


async def measure(site: Site, runs: int, say: Say) -> Section:
    """All reports wait at the broker: each device's download, then each one's installation, then each one's success."""
    rates, limits = [], []
    section = Section("ingest", work=f"{len(PHASES) * DEVICES:,} reports")
    for number in range(runs):
        say(f"ingest: run {number + 1} of {runs}")
        async with site.fresh_database() as database, world(database.dsn) as seen:
            campaign = await seen.campaign()
            await fill(seen.sql, campaign)
            limits.append(await bare_rate(seen.sql, campaign))
            await collect(site, database, campaign)
            async with kafka_tools.growth(site.topics.bootstrap, DEVICE_STATUS) as announced:
                async with site.ingest(database, INGEST_BATCH="1000") as one:
                    meter = Meter({"status-ingest-svc": one.pid, **site.pids})
                    done = partial(seen.sql.fetchval, DONE, campaign)
                    rates.append(await progress.rate(one.child, done, len(PHASES) * DEVICES))
                    section.usages = meter.read()
                assert await announced() == len(PHASES) * DEVICES, "a change was not announced"
            await end_sessions(site.broker)
        say(f"ingest: {rates[-1]:,.0f} reports/s, bare {limits[-1]:,.0f}")
    section.measures = [Measure("reports, against rows of a bare UPDATE", "1/s", rates, limits, aim=0.4)]
    return section


async def fill(sql: asyncpg.Connection, campaign: int) -> None:
    await sql.execute(_DEVICES, DEVICES)
    await sql.execute(_ROWS, campaign, DEVICES)
    await copies.make(sql, "bare")
    await copies.fill(sql, "bare", campaign)
    await sql.execute("VACUUM ANALYZE bare, ota_device_status, devices")


async def bare_rate(sql: asyncpg.Connection, campaign: int) -> float:
    """Rows per second, with the same rows and values in the same order and the same batch size."""
    began = time.perf_counter()
    for status, percent in PHASES:
        for names in _batches():
            size = len(names)
            done = await sql.execute(_BARE, [campaign] * size, names, [status] * size, [percent] * size)
            assert done == f"UPDATE {size}", done
    return len(PHASES) * DEVICES / (time.perf_counter() - began)


def _batches() -> Iterator[list[str]]:
    names = [device_name(number) for number in raw_mqtt.device_order(DEVICES)]
    for start in range(0, DEVICES, BATCH):
        yield names[start : start + BATCH]


async def collect(site: Site, database: Database, campaign: int) -> None:
    """The session of an ingest that has stopped gets all reports dealt, and keeps them."""
    async with site.ingest(database):
        pass
    await raw_mqtt.publish(site.broker, "reports", payloads(campaign), DEVICES)


def payloads(campaign: int) -> list[str]:
    """What each device says, in order."""
    return [
        f'{{"campaign_id":{campaign},"status":"{status}","progress":{percent},"version":"2.0","attempt":1}}'
        for status, percent in PHASES
    ]
