"""What a campaign's tick and each REST call cost with a million devices, against ten thousand."""

import asyncio
import re
import time
from collections import defaultdict

import asyncpg
import httpx

from tests.bench.figures import Measure, Section
from tests.bench.fleet_rows import GROUP, NEW, Operator, operator, put_devices, put_firmware
from tests.bench.meter import Meter
from tests.bench.raw_mqtt import device_name
from tests.bench.say import Say
from tests.bench.shares import share
from tests.bench.site import Running, Site
from tests.status_ingest_svc.world import world

SIZES = {"small": 10_000, "large": 1_000_000}
"""Devices by tenant."""
CALLS_EACH = 200
TICK_SECONDS, STEP_SECONDS = 6.0, 0.2
RATE = 18_000
"""Devices per minute: each tick claims 150."""
ENDED_SHARE, FAILED_SHARE = 0.3, 0.01
CALLS = (
    "/customer/ota/campaigns",
    "/customer/ota/campaigns/{id}",
    "/customer/ota/campaigns/{id}/devices",
    "/customer/ota/campaigns/{id}/devices?status=FAILED",
    "/customer/ota/campaigns/{id}/devices?status=PENDING",
    "/customer/ota/campaigns/{id}/timeline",
    "/customer/ota/campaigns/{id}/history",
    "/customer/ota/overview",
    "/customer/devices",
    "/customer/devices?group_id={group}",
    "/customer/devices/{middle}",
    "/customer/device-groups/{group}",
    "/customer/device-groups/{group}/members",
)
_END = """
UPDATE ota_device_status SET status = CASE WHEN rank < $3 THEN 'FAILED' ELSE 'SUCCESS' END, attempt = 1,
       failures = CASE WHEN rank < $3 THEN 1 ELSE 0 END, error_code = CASE WHEN rank < $3 THEN 'flash_full' END,
       dispatched_at = now(), completed_at = now()
 WHERE campaign_id = $1 AND rank < $2
"""
_TAKE = """
UPDATE ota_device_status SET status = 'SUCCESS', dispatched_at = now(), completed_at = now()
 WHERE campaign_id = $1 AND device_id IN (SELECT device_id FROM ota_device_status WHERE campaign_id = $1
                                           AND phase = 'QUEUED' LIMIT $2)
"""
_TICKS = re.compile(r"^pulse_campaign_tick_seconds_(sum|count) (\S+)$", re.MULTILINE)


async def measure(site: Site, runs: int, say: Say) -> Section:
    """Calls take turns between the two sizes; ticks are those of a campaign that is being rolled out."""
    section = Section("size", work=f"{CALLS_EACH * runs} calls of each kind and size, ticks")
    async with site.fresh_database() as database, world(database.dsn) as seen, site.campaigns(database) as process:
        users: dict[str, tuple[Operator, int]] = {}
        for tenant, devices in SIZES.items():
            say(f"size: a campaign over {devices:,} devices, {ENDED_SHARE:.0%} of them finished")
            await put_devices(seen.sql, tenant, devices)
            async with operator(site, process, tenant) as user:
                campaign = await user.create(await put_firmware(seen.sql, tenant, NEW), rollout_rate=RATE)
                ended, failed = int(devices * ENDED_SHARE), int(devices * FAILED_SHARE)
                await seen.sql.execute(_END, campaign, ended, failed, timeout=300)
                users[tenant] = user, campaign
        await seen.sql.execute("VACUUM ANALYZE", timeout=300)
        meter = Meter({"campaign-svc": process.pid, **site.pids})
        section.measures = await _calls(site, process, {tenant: users[tenant][1] for tenant in SIZES}, runs, say)
        section.measures.append(await _ticks(site, process, users, seen.sql, runs, say))
        section.usages = meter.read()
    return section


async def _calls(site: Site, process: Running, campaigns: dict[str, int], runs: int, say: Say) -> list[Measure]:
    """The 99th percentile of each run, in milliseconds."""
    worst: defaultdict[str, dict[str, list[float]]] = defaultdict(lambda: {tenant: [] for tenant in SIZES})
    async with operator(site, process, "small") as small, operator(site, process, "large") as large:
        clients = {"small": small.http, "large": large.http}
        for number in range(runs):
            say(f"size: REST calls, run {number + 1} of {runs}")
            for call in CALLS:
                times = await _timed(call, clients, campaigns)
                for tenant, values in times.items():
                    worst[call][tenant].append(share(values, 0.99))
    measures = [
        Measure(f"GET {call.removeprefix('/customer')}, p99", "ms", found["large"], found["small"], 1.2, at_most=True)
        for call, found in worst.items()
    ]
    slowest = [max(found["large"][number] for found in worst.values()) for number in range(runs)]
    return [*measures, Measure("the slowest of these at 1,000,000 devices, p99", "ms", slowest, aim=50, at_most=True)]


async def _timed(call: str, clients: dict[str, httpx.AsyncClient], campaigns: dict[str, int]) -> dict[str, list[float]]:
    """Lists are read page after page."""
    times: dict[str, list[float]] = {tenant: [] for tenant in SIZES}
    after: dict[str, str | None] = dict.fromkeys(SIZES)
    for _ in range(CALLS_EACH):
        for tenant, devices in SIZES.items():
            path = call.format(id=campaigns[tenant], middle=device_name(devices // 2), group=GROUP)
            page = after[tenant]
            url = httpx.URL(path).copy_merge_params({"after": page} if page else {})
            began = time.perf_counter()
            answer = await clients[tenant].get(url)
            times[tenant].append((time.perf_counter() - began) * 1000)
            after[tenant] = answer.raise_for_status().json().get("next")
            await asyncio.sleep(0.002)
    return times


async def _ticks(
    site: Site, process: Running, users: dict[str, tuple[Operator, int]], sql: asyncpg.Connection, runs: int, say: Say
) -> Measure:
    """Mean milliseconds of a tick; only one campaign is live at a time, and what it claims succeeds at its rate."""
    means: dict[str, list[float]] = {tenant: [] for tenant in SIZES}
    for number in range(runs):
        say(f"size: ticks, run {number + 1} of {runs}")
        for tenant in SIZES:
            async with operator(site, process, tenant) as user:
                means[tenant].append(await _mean_tick(user, users[tenant][1], sql))
    return Measure("one tick of the engine", "ms", means["large"], means["small"], aim=1.2, at_most=True)


async def _mean_tick(user: Operator, campaign: int, sql: asyncpg.Connection) -> float:
    await sql.execute("UPDATE ota_campaigns SET completed_at = NULL WHERE id = $1", campaign)
    await user.post(f"/customer/ota/campaigns/{campaign}/start", {})
    before = await _seconds_and_ticks(user.http)
    until = time.monotonic() + TICK_SECONDS
    while time.monotonic() < until:
        await asyncio.sleep(STEP_SECONDS)
        await sql.execute(_TAKE, campaign, int(RATE / 60 * STEP_SECONDS))
    after = await _seconds_and_ticks(user.http)
    await user.post(f"/customer/ota/campaigns/{campaign}/pause", {})
    await sql.execute("UPDATE ota_campaigns SET completed_at = now() WHERE id = $1", campaign)
    return (after[0] - before[0]) / (after[1] - before[1]) * 1000


async def _seconds_and_ticks(http: httpx.AsyncClient) -> tuple[float, float]:
    found = dict(_TICKS.findall((await http.get("/metrics")).text))
    return float(found["sum"]), float(found["count"])
