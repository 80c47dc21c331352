"""Milliseconds from the answer to an abort until the last command of the campaign reaches a subscriber."""

import asyncio
import time
from contextlib import AsyncExitStack

from tests.bench.figures import Measure, Section
from tests.bench.fleet_rows import NEW, Operator, operator, put_devices, put_firmware
from tests.bench.meter import Meter
from tests.bench.say import Say
from tests.bench.shares import share
from tests.bench.site import Site
from tests.bench.watcher import Watcher, watching
from tests.status_ingest_svc.world import World, world

TENANT = "bench"
RATE = 2_000
DEVICES = 20_000
TRIALS = 20
DISPATCHERS = 3
FULL_SPEED_AFTER = 1_500
"""Commands seen; the buckets' first fill is over by then."""
QUIET_SECONDS = 0.6
"""So long after the answer all that may come has come."""


async def measure(site: Site, runs: int, say: Say) -> Section:
    """Campaigns at full speed, each aborted over REST; never negative, since a command may come before the answer."""
    delays: list[float] = []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(site.fresh_database())
        seen = await stack.enter_async_context(world(database.dsn))
        process = await stack.enter_async_context(site.campaigns(database))
        dispatchers = [await stack.enter_async_context(site.dispatcher()) for _ in range(DISPATCHERS)]
        watcher = await stack.enter_async_context(watching(site.broker))
        await put_devices(seen.sql, TENANT, DEVICES)
        firmware_id = await put_firmware(seen.sql, TENANT, NEW)
        user = await stack.enter_async_context(operator(site, process, TENANT))
        pids = {f"dispatcher-svc {number + 1}": one.pid for number, one in enumerate(dispatchers)}
        meter = Meter({"campaign-svc": process.pid, **pids, **site.pids})
        for trial in range(TRIALS * runs):
            delays.append(await _abort(user, firmware_id, watcher, seen))
            if trial % TRIALS == 0:
                say(f"abort: {trial + 1} of {TRIALS * runs}: last command after {delays[-1]:.0f} ms")
        usages = meter.read()
    measures = [
        Measure(f"last command after the answer, {name}", "ms", [share(delays, part)], aim=aim, at_most=True)
        for name, part, aim in (("median", 0.5, None), ("p99", 0.99, 100.0), ("max", 1.0, None))
    ]
    return Section("abort", measures, usages, f"{len(delays)} aborts at {RATE:,}/s")


async def _abort(user: Operator, firmware_id: int, watcher: Watcher, seen: World) -> float:
    campaign = await user.create(firmware_id, rollout_rate=RATE * 60)
    await user.post(f"/customer/ota/campaigns/{campaign}/start", {})
    async with asyncio.timeout(30):
        while len(watcher.seen[campaign]) < FULL_SPEED_AFTER:
            await asyncio.sleep(0.02)
    answer = await user.post(f"/customer/ota/campaigns/{campaign}/abort", {})
    answered = time.monotonic()
    assert answer["control"] == "announced", answer
    await asyncio.sleep(QUIET_SECONDS)
    last = watcher.seen.pop(campaign)[-1]
    await _forget(seen, campaign)
    return max(0.0, last - answered) * 1000


async def _forget(seen: World, campaign: int) -> None:
    """The devices are free for the next trial: nobody would ever report for them."""
    await seen.sql.execute("UPDATE ota_campaigns SET completed_at = now() WHERE id = $1", campaign)
    await seen.sql.execute("TRUNCATE ota_device_status, ota_campaign_counters")
