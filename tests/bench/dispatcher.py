"""Commands per second of one dispatcher, against publishes per second of the fastest client on the same broker."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

from pulse.contracts.kafka import CONTROL, REQUESTS, RESULTS, CampaignControl, DispatchRequest, encode
from pulse.contracts.mqtt import Command
from pulse.contracts.times import now
from pulse.runtime.kafka_batches import Record, gather, hand_over
from tests.bench import kafka_tools, progress, raw_mqtt
from tests.bench.figures import Measure, Section
from tests.bench.meter import Meter
from tests.bench.raw_mqtt import device_name
from tests.bench.say import Say
from tests.bench.site import Site

COMMANDS = 60_000
GROUP = "pulse-dispatcher"
AS_FAST_AS_IT_CAN = {"PARTITION_RATE": "1000000"}
FASTEST = 1e6
campaigns = count(1)
"""Ids of campaigns that no other part of the bench uses."""


async def measure(site: Site, runs: int, say: Say) -> Section:
    """Requests wait in Kafka; timed from a tenth of them to the last result, and until the last offset is committed."""
    rates, limits = [], []
    section = Section("dispatcher", work=f"{COMMANDS:,} commands")
    bootstrap = site.topics.bootstrap
    with raw_mqtt.listening(site.broker, "tenant/+/device/+/commands"):
        for number in range(runs):
            say(f"dispatcher: run {number + 1} of {runs}")
            campaign = next(campaigns)
            text = command(campaign).text()
            limits.append(await raw_mqtt.publish(site.broker, "commands", [text], COMMANDS))
            await ask(bootstrap, campaign, text)
            async with kafka_tools.growth(bootstrap, RESULTS) as results, site.dispatcher(**AS_FAST_AS_IT_CAN) as one:
                meter = Meter({"dispatcher-svc": one.pid, **site.pids})
                rates.append(await progress.rate(one.child, results, COMMANDS))
                section.usages = meter.read()
                await kafka_tools.until_committed(bootstrap, GROUP, REQUESTS)
            say(f"dispatcher: {rates[-1]:,.0f} commands/s, raw {limits[-1]:,.0f}")
    section.measures = [Measure("commands, against raw publishes", "1/s", rates, limits, aim=0.35)]
    return section


def command(campaign: int) -> Command:
    issued_at = datetime.now(UTC)
    return Command(
        campaign_id=campaign,
        attempt=1,
        version="2.1.0",
        firmware_url="https://files.example.com/firmware/gateway-2.1.0-stable.bin",
        size=4_194_304,
        checksum="5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
        issued_at=issued_at,
        expires_at=issued_at + timedelta(hours=1),
    )


async def ask(bootstrap: str, campaign: int, text: str) -> None:
    """A RUNNING campaign, and its requests in all partitions that fast campaigns use."""
    running = CampaignControl(tenant_id="acme", campaign_id=campaign, epoch=1, status="RUNNING", at=now())
    records = [_record(campaign, number, text) for number in raw_mqtt.device_order(COMMANDS)]
    async with kafka_tools.producer(bootstrap) as kafka:
        await kafka.send_and_wait(CONTROL.name, encode(running), key=running.key.encode())
        batches = await gather(kafka, REQUESTS, records)
        await asyncio.wait([await hand_over(kafka, REQUESTS, batch) for batch in batches])


def _record(campaign: int, number: int, text: str) -> Record[None]:
    shard = number % (REQUESTS.partitions - 1)
    end = now() + timedelta(hours=1)
    request = DispatchRequest(
        tenant_id="acme",
        campaign_id=campaign,
        device_id=device_name(number),
        attempt=1,
        epoch=1,
        bucket=f"{campaign}:{shard}",
        bucket_rate=FASTEST,
        bucket_burst=FASTEST,
        not_after=end,
        expires_at=end,
        command=text,
    )
    return Record(None, request.key.encode(), encode(request), partition=1 + shard)
