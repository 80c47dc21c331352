"""The whole way, from start to completion: devices a second, and CPU for a thousand of them, at two sizes of fleet."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from local_stack import child
from local_stack.child import Child, Part
from tests.bench.figures import Measure, Section, Usage
from tests.bench.fleet_rows import NEW, OLD, Operator, operator, put_devices, put_firmware
from tests.bench.meter import Meter
from tests.bench.say import Say
from tests.bench.site import Running, Site
from tests.status_ingest_svc.service import end_sessions
from tests.status_ingest_svc.world import world

SMALL, LARGE = 10_000, 100_000
RATE = 600_000
"""Devices per minute, the most that the API takes: nothing but the system itself holds devices back."""
TENANT = "bench"
LONGEST_SECONDS = 420.0
SIMULATOR = "fleetsim"
NEWER = "3.0.0"
_BYTES = """
SELECT sum(pg_total_relation_size(c.oid))::float8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname LIKE 'ota\\_%'
"""


async def measure(site: Site, runs: int, say: Say) -> Section:
    """One run of each size, whatever `runs` says; services, brokers and database make up the cost."""
    section = Section("fleet", work=f"{LARGE:,} devices")
    speeds, costs, sizes = [], [], []
    for devices, versions in ((SMALL, (NEW, NEWER)), (LARGE, (NEW,))):
        say(f"fleet: {devices:,} devices to completion, {len(versions)} campaign(s)")
        seconds, usages, size = await _roll_out(site, devices, versions)
        used = sum(usage.cpu_seconds for usage in usages if usage.process != SIMULATOR)
        updates = devices * len(versions)
        speeds.append(updates / seconds)
        costs.append(used / updates * 1000)
        sizes.append(size / updates)
        section.usages = usages
        say(f"fleet: {speeds[-1]:,.0f} devices/s, {costs[-1]:.2f} CPU s per 1,000 without the simulator")
    largest = max(usage.peak_mib for usage in section.usages if usage.process.endswith("-svc"))
    section.measures = [
        Measure(f"{LARGE:,} devices, from start to completion", "devices/s", speeds[1:], aim=500),
        Measure("CPU seconds per 1,000 devices, simulator not counted", "s", costs[1:], aim=2.3, at_most=True),
        Measure(f"the same, against {SMALL:,} devices", "s", costs[1:], costs[:1], aim=1.2, at_most=True),
        Measure("database per device and campaign, after two", "bytes", sizes[:1], aim=500, at_most=True),
        Measure("database per device, right after the first", "bytes", sizes[1:]),
        Measure("memory of the largest service", "MiB", [largest], aim=200, at_most=True),
    ]
    return section


async def _roll_out(site: Site, devices: int, versions: Sequence[str]) -> tuple[float, list[Usage], float]:
    """One campaign after the other: seconds from start to completion, what the processes used, bytes of database.

    Between two there is a vacuum, as there would be within a minute.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(site.fresh_database())
        seen = await stack.enter_async_context(world(database.dsn))
        await put_devices(seen.sql, TENANT, devices)
        campaigns: Running = await stack.enter_async_context(site.campaigns(database))
        dispatcher = await stack.enter_async_context(site.dispatcher())
        ingest = await stack.enter_async_context(site.ingest(database))
        simulator = await stack.enter_async_context(simulated(site, devices))
        user = await stack.enter_async_context(operator(site, campaigns, TENANT))
        services = {"campaign-svc": campaigns.pid, "dispatcher-svc": dispatcher.pid, "status-ingest-svc": ingest.pid}
        meter = Meter({**services, **site.pids, SIMULATOR: simulator.pid})
        seconds = 0.0
        for version in versions:
            campaign = await user.create(await put_firmware(seen.sql, TENANT, version), rollout_rate=RATE)
            await seen.sql.execute("VACUUM ota_device_status")
            began = time.perf_counter()
            await user.post(f"/customer/ota/campaigns/{campaign}/start", {})
            await _until_completed(user, campaign, devices)
            seconds += time.perf_counter() - began
        usages, size = meter.read(), await _bytes(seen.sql)
    await end_sessions(site.broker)
    return seconds, usages, size


@asynccontextmanager
async def simulated(site: Site, devices: int) -> AsyncIterator[Child]:
    """Devices behind a few connections, each of which needs about a second for an update. All connected."""
    password_file = site.broker.password_file(site.broker.admin_user)
    command = (
        *(sys.executable, "-m", "fleetsim", "run", "--tenant", TENANT, "--ids", f"d{{0000000..{devices - 1:07}}}"),
        *("--version", OLD, "--user", site.broker.admin_user, "--password-file", str(password_file)),
        *("--mqtt-host", site.broker.host, "--mqtt-port", str(site.broker.port), "--connect-rate", "0"),
        *("--fail", "0", "--progress", "100", "--download-seconds", "0.3..0.7", "--install-seconds", "0.3..0.7"),
    )
    log = site.folder / "logs" / f"fleetsim-{devices}.log"

    async def all_connected() -> bool:
        return log.exists() and f"{devices} of {devices} devices connected" in log.read_text(encoding="utf-8")

    process = await child.start(Part(SIMULATOR, command, all_connected, ready_within=120), log)
    try:
        await process.until_ready()
        yield process
    finally:
        await process.stop()


async def _until_completed(user: Operator, campaign: int, devices: int) -> None:
    """Raises TimeoutError; fails when a device has not succeeded."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            answer = await user.http.get(f"/customer/ota/campaigns/{campaign}")
            found = answer.raise_for_status().json()
            if found["status"] == "COMPLETED":
                assert found["succeeded"] == devices, found["status_breakdown"]
                return
            await asyncio.sleep(0.25)


async def _bytes(sql: asyncpg.Connection) -> float:
    """Of all that campaigns keep, indexes and dead rows included."""
    return float(await sql.fetchval(_BYTES))
