"""How exactly dispatchers keep a rate: campaigns of four speeds side by side, with one dispatcher and with three."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import timedelta

from aiokafka import AIOKafkaProducer

from campaign_svc.engine.pace import Pace, pace_of
from pulse.contracts.kafka import CONTROL, REQUESTS, CampaignControl, DispatchRequest, encode
from pulse.contracts.times import now
from tests.bench import kafka_tools, promise
from tests.bench.dispatcher import campaigns, command
from tests.bench.figures import Measure, Section
from tests.bench.meter import Meter
from tests.bench.raw_mqtt import device_name
from tests.bench.say import Say
from tests.bench.site import Site
from tests.bench.watcher import Watcher, watching

BURST_SECONDS = 0.2
SPEEDS = {"1/min": (1 / 60, 3), "1/s": (1.0, 60), "100/s": (100.0, 6_000), "2,000/s": (2_000.0, 80_000)}
"""Commands per second, and how many."""
LONGEST_SECONDS = 200.0
HELD_UP_SECONDS = 0.01
"""On top of what the watcher knows to have been late: the broker's own delay."""


async def measure(site: Site, runs: int, say: Say) -> Section:
    """One long run, whatever `runs` says: from a campaign's first command to its last; any window counts."""
    section = Section("rate", work=f"{sum(number for _, number in SPEEDS.values()):,} commands, 3 dispatchers")
    for dispatchers in (1, 3):
        say(f"rate: four campaigns for {LONGEST_SECONDS:.0f} s at most, {dispatchers} dispatcher(s)")
        async with watching(site.broker) as watcher, AsyncExitStack() as running:
            started = [await running.enter_async_context(site.dispatcher()) for _ in range(dispatchers)]
            pids = {f"dispatcher-svc {number + 1}": one.pid for number, one in enumerate(started)}
            meter = Meter(pids | site.pids)
            paces = {name: await ask(site, *speed) for name, speed in SPEEDS.items()}
            await _until_all_seen(watcher, paces)
            section.usages = meter.read()
            section.measures += [_judge(name, watcher, pace, dispatchers) for name, pace in paces.items()]
            above = [_above(watcher, pace) for pace in paces.values()]
            name = f"commands above the promise, any window, {dispatchers} dispatcher(s)"
            section.measures.append(Measure(name, "", [max(0.0, *above)], aim=0, at_most=True))
    return section


async def ask(site: Site, rate: float, number: int) -> Pace:
    """A campaign of that rate and all its requests."""
    pace = pace_of(next(campaigns), rate, REQUESTS.partitions, BURST_SECONDS)
    async with kafka_tools.producer(site.topics.bootstrap) as kafka:
        await announce(kafka, pace)
        await request(kafka, pace, range(number))
    return pace


async def announce(kafka: AIOKafkaProducer, pace: Pace) -> None:
    running = CampaignControl(tenant_id="acme", campaign_id=pace.campaign_id, epoch=1, status="RUNNING", at=now())
    await kafka.send_and_wait(CONTROL.name, encode(running), key=running.key.encode())


async def request(kafka: AIOKafkaProducer, pace: Pace, ranks: Iterable[int]) -> None:
    """Asks for commands to the devices of these ranks; returns when Kafka has it all."""
    end, text = now() + timedelta(hours=1), command(pace.campaign_id).text()
    sent = []
    for rank in ranks:
        asked = DispatchRequest(
            tenant_id="acme",
            campaign_id=pace.campaign_id,
            device_id=device_name(rank),
            attempt=1,
            epoch=1,
            bucket=pace.bucket(rank),
            bucket_rate=pace.bucket_rate,
            bucket_burst=pace.bucket_burst,
            not_after=end,
            expires_at=end,
            command=text,
        )
        key = asked.key.encode()
        sent.append(await kafka.send(REQUESTS.name, encode(asked), key=key, partition=pace.partition(rank)))
    await asyncio.wait(sent)


async def _until_all_seen(watcher: Watcher, paces: dict[str, Pace]) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        if all(len(watcher.seen[paces[name].campaign_id]) >= number for name, (_, number) in SPEEDS.items()):
            return
        await asyncio.sleep(0.1)


def _judge(name: str, watcher: Watcher, pace: Pace, dispatchers: int) -> Measure:
    share = promise.achieved(watcher.seen[pace.campaign_id], SPEEDS[name][0])
    return Measure(f"{name} with {dispatchers} dispatcher(s), of the promise", "", [share], aim=0.98)


def _above(watcher: Watcher, pace: Pace) -> float:
    tolerated = (watcher.late + HELD_UP_SECONDS) * pace.bucket_rate * pace.shards
    return promise.above(watcher.seen[pace.campaign_id], pace) - tolerated
