"""One, two and three replicas of a service: how much more they do, and how long a rebalance holds commands up."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import count, islice, pairwise

from campaign_svc.engine.pace import Pace, pace_of
from pulse.contracts.kafka import DEVICE_STATUS, REQUESTS, RESULTS
from tests.bench import dispatcher, ingest, kafka_tools, progress, promise, raw_mqtt, replicas
from tests.bench.figures import Measure, Section
from tests.bench.meter import Meter
from tests.bench.rate import BURST_SECONDS, HELD_UP_SECONDS, announce, request
from tests.bench.say import Say
from tests.bench.site import Site
from tests.bench.watcher import COMMANDS, Watcher, watching
from tests.status_ingest_svc.service import end_sessions
from tests.status_ingest_svc.world import world

REPLICAS = (1, 2, 3)
RATE = 2_000.0
FEED_SECONDS = 0.25
CALM_SECONDS = 12.0
"""After each event; longer than the session of a member that has died."""
KILLED = "is killed and started again"
REPORTS = len(ingest.PHASES) * ingest.DEVICES


async def measure(site: Site, runs: int, say: Say) -> Section:
    """Throughput in `runs` runs; then 2,000 commands a second while dispatchers come, leave and die."""
    section = Section("scaling", work=f"{REPORTS:,} reports, {REPLICAS[-1]} ingests")
    section.measures += await _against_one("dispatchers", partial(_dispatched, site), runs, say)
    section.measures += await _against_one("ingests", partial(_ingested, site, section), runs, say)
    section.measures += await _against_one("of catalog-svc: requests", partial(replicas.catalogs, site), runs, say)
    section.measures += await _against_one("of campaign-svc: requests", partial(replicas.campaigns, site), runs, say)
    section.measures += await _against_one("of campaign-svc: claims", partial(replicas.claims, site), runs, say)
    section.measures += await _rebalances(site, say)
    return section


async def _against_one(kind: str, rate: Callable[[int], Awaitable[float]], runs: int, say: Say) -> list[Measure]:
    rates: dict[int, list[float]] = {number: [] for number in REPLICAS}
    for _ in range(runs):
        for number in REPLICAS:
            rates[number].append(await rate(number))
            say(f"scaling: {number} {kind}: {rates[number][-1]:,.0f}/s")
    return [Measure(f"{number} {kind}, against one", "1/s", rates[number], rates[1]) for number in REPLICAS]


async def _dispatched(site: Site, replicas: int) -> float:
    """Commands per second, from requests that all come at once."""
    bootstrap, campaign = site.topics.bootstrap, next(dispatcher.campaigns)
    with raw_mqtt.listening(site.broker, COMMANDS):
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(site.dispatcher(**dispatcher.AS_FAST_AS_IT_CAN))
            for _ in range(replicas - 1):
                await stack.enter_async_context(site.dispatcher(**dispatcher.AS_FAST_AS_IT_CAN))
            results = await stack.enter_async_context(kafka_tools.growth(bootstrap, RESULTS))
            await dispatcher.ask(bootstrap, campaign, dispatcher.command(campaign).text())
            rate = await progress.rate(first.child, results, dispatcher.COMMANDS)
            await kafka_tools.until_committed(bootstrap, dispatcher.GROUP, REQUESTS)
    return rate


async def _ingested(site: Site, section: Section, replicas: int) -> float:
    """Reports per second, published as fast as the broker takes them; each one is in the database in the end."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(site.fresh_database())
        seen = await stack.enter_async_context(world(database.dsn))
        campaign = await seen.campaign()
        await ingest.fill(seen.sql, campaign)
        changes = await stack.enter_async_context(kafka_tools.growth(site.topics.bootstrap, DEVICE_STATUS))
        started = [await stack.enter_async_context(site.ingest(database)) for _ in range(replicas)]
        meter = Meter({f"status-ingest-svc {n + 1}": one.pid for n, one in enumerate(started)} | site.pids)
        async with asyncio.TaskGroup() as group:
            said = ingest.payloads(campaign)
            group.create_task(raw_mqtt.publish(site.broker, "reports", said, ingest.DEVICES))
            rate = await progress.rate(started[0].child, changes, REPORTS)
        section.usages = meter.read()
        assert await seen.sql.fetchval(ingest.DONE, campaign) == REPORTS, "a report was lost"
    await end_sessions(site.broker)
    return rate


async def _rebalances(site: Site, say: Say) -> list[Measure]:
    """How long a bucket is silent when a dispatcher joins, leaves and is killed, and the promise over all of it."""
    events: dict[str, float] = {}
    pace = pace_of(next(dispatcher.campaigns), RATE, REQUESTS.partitions, BURST_SECONDS)
    async with watching(site.broker) as watcher, AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        leaving = await stack.enter_async_context(site.dispatcher())
        dying = await stack.enter_async_context(site.dispatcher())
        feeding = group.create_task(_feed(site, pace))
        await _until_moving(watcher, pace.campaign_id)
        say("scaling: a dispatcher joins")
        events["joins"] = time.monotonic()
        await stack.enter_async_context(site.dispatcher())
        await asyncio.sleep(CALM_SECONDS)
        say("scaling: a dispatcher leaves")
        events["leaves"] = time.monotonic()
        await leaving.child.stop()
        await asyncio.sleep(CALM_SECONDS)
        say("scaling: a dispatcher is killed")
        events[KILLED] = time.monotonic()
        await dying.child.kill()
        await stack.enter_async_context(site.dispatcher(HTTP_PORT=str(dying.port)))
        await asyncio.sleep(CALM_SECONDS)
        feeding.cancel()
        times, devices = watcher.seen[pace.campaign_id], watcher.devices[pace.campaign_id]
    by_bucket = defaultdict(list)
    for at, device in zip(times, devices, strict=True):
        by_bucket[pace.bucket(int(device[1:]))].append(at)
    above = promise.above(times, pace) - (watcher.late + HELD_UP_SECONDS) * RATE
    return [
        *_silences(list(by_bucket.values()), events),
        Measure("commands above the promise meanwhile", "", [max(0.0, above)], aim=0, at_most=True),
    ]


def _silences(buckets: Sequence[Sequence[float]], events: Mapping[str, float]) -> list[Measure]:
    """When one is killed there is another, so half of the buckets are the other's: those with the shorter silence."""
    found = {what: sorted(_silence(times, begin) for times in buckets) for what, begin in events.items()}
    longest = {f"longest silence of a bucket when a dispatcher {what}": each[-1] for what, each in found.items()}
    longest[f"longest silence of a bucket when another {KILLED}"] = found[KILLED][len(buckets) // 2 - 1]
    aims = dict.fromkeys(longest, 1.0) | {f"longest silence of a bucket when a dispatcher {KILLED}": 10.0}
    return [Measure(n, "ms", [s * 1000], aim=aims[n] * 1000, at_most=True) for n, s in longest.items()]


async def _feed(site: Site, pace: Pace) -> None:
    """Requests at the rate and a half, until cancelled: what a rebalance returns is not missed by the next owner."""
    ranks = count()
    async with kafka_tools.producer(site.topics.bootstrap) as kafka:
        await announce(kafka, pace)
        while True:
            await request(kafka, pace, islice(ranks, int(RATE * 1.5 * FEED_SECONDS)))
            await asyncio.sleep(FEED_SECONDS)


async def _until_moving(watcher: Watcher, campaign: int) -> None:
    async with asyncio.timeout(30):
        while len(watcher.seen[campaign]) < RATE:
            await asyncio.sleep(0.05)


def _silence(times: Sequence[float], begin: float) -> float:
    """The longest time without a command that began or ended within CALM_SECONDS after `begin`, in seconds."""
    near = [at for at in times if begin - 1 <= at <= begin + CALM_SECONDS]
    return max((later - at for at, later in pairwise(near)), default=CALM_SECONDS)
