"""Seconds to create a campaign over a million devices, against a raw INSERT of as many equal rows."""

import time

import asyncpg

from tests.bench import copies
from tests.bench.figures import Measure, Section
from tests.bench.fleet_rows import NEW, operator, put_devices, put_firmware
from tests.bench.meter import Meter
from tests.bench.say import Say
from tests.bench.site import Site
from tests.status_ingest_svc.world import world

DEVICES = 1_000_000
TENANT = "bench"


async def measure(site: Site, runs: int, say: Say) -> Section:
    """Over REST, until the answer. The raw rows are the campaign's own, copied in their order."""
    values, limits, sizes = [], [], []
    section = Section("creation", work=f"{DEVICES:,} devices")
    say(f"creation: registering {DEVICES:,} devices")
    async with site.fresh_database() as database, world(database.dsn) as seen, site.campaigns(database) as process:
        await put_devices(seen.sql, TENANT, DEVICES)
        firmware_id = await put_firmware(seen.sql, TENANT, NEW)
        async with operator(site, process, TENANT) as user:
            for number in range(runs):
                meter = Meter({"campaign-svc": process.pid, **site.pids})
                began = time.perf_counter()
                campaign = await user.create(firmware_id)
                values.append(time.perf_counter() - began)
                section.usages = meter.read()
                sizes.append(await bytes_per_device(seen.sql))
                limits.append(await _raw_seconds(seen.sql, campaign))
                await seen.sql.execute("TRUNCATE ota_device_status, ota_campaign_counters")
                say(f"creation: run {number + 1} of {runs}: {values[-1]:.1f} s, raw {limits[-1]:.1f} s")
    section.measures = [
        Measure("creation, against a raw INSERT", "s", values, limits, aim=1.5, at_most=True),
        Measure("database per device just created", "bytes", sizes, aim=500, at_most=True),
    ]
    return section


async def _raw_seconds(sql: asyncpg.Connection, campaign: int) -> float:
    await sql.execute("CHECKPOINT", timeout=300)
    await copies.make(sql, "raw")
    began = time.perf_counter()
    await copies.fill(sql, "raw", campaign)
    seconds = time.perf_counter() - began
    await sql.execute("DROP TABLE raw")
    await sql.execute("CHECKPOINT", timeout=300)
    return seconds


async def bytes_per_device(sql: asyncpg.Connection) -> float:
    """Of the rows of campaigns, indexes included."""
    return float(
        await sql.fetchval(
            "SELECT pg_total_relation_size('ota_device_status')::float8 / count(*) FROM ota_device_status", timeout=300
        )
    )
