"""Batches taken side by side, against each other and against campaign-svc's claims."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from pulse.contracts.kafka import Outcome
from pulse.contracts.mqtt import report_topic
from pulse.contracts.status import ACTIVE
from pulse.runtime import db
from pulse.runtime import kafka as kafka_door
from pulse.runtime.kafka_cluster import Cluster
from status_ingest_svc.ingest import Ingest
from status_ingest_svc.reading import Message, read_report, read_result
from status_ingest_svc.store import Backoff
from status_ingest_svc.transitions import Transitions
from tests.real_parts import Database
from tests.status_ingest_svc.world import TENANT, World, names, result

CLAIM = """
    WITH due AS (SELECT campaign_id, device_id FROM ota_device_status
                  WHERE campaign_id = $1 AND status = 'PENDING' LIMIT 20 FOR UPDATE SKIP LOCKED)
    UPDATE ota_device_status s SET status = 'QUEUED', attempt = attempt + 1, wait = NULL
      FROM due WHERE s.campaign_id = due.campaign_id AND s.device_id = due.device_id
"""


@pytest.fixture
async def ingest(postgres: Database, kafka: str) -> AsyncIterator[Ingest]:
    async with (
        db.pool(postgres.dsn_of("status_ingest_svc"), size=8) as database,
        kafka_door.producer(Cluster(kafka)) as producer,
    ):
        yield Ingest(database, producer, Transitions(producer), Backoff(retry=0.001, offline=0.001))


def _message(chance: random.Random, campaigns: list[int], devices: list[str]) -> Message:
    campaign, device, attempt = chance.choice(campaigns), chance.choice(devices), chance.choice([1, 2, 3])
    if chance.random() < 0.4:
        outcome = chance.choice(list(Outcome))
        return read_result("results/0/0", result(campaign, device, outcome, attempt, 135))
    status = chance.choice(["DOWNLOADING", "INSTALLING", "FAILED", "FAILED", "SUCCESS"])
    bare = chance.random() < 0.2
    said = f'{{"campaign_id":{campaign},"status":"{status}"' + ("}" if bare else f',"attempt":{attempt}}}')
    return read_report(report_topic(TENANT, device), said.encode())


async def test_counters_equal_rows_after_writers_that_met(ingest: Ingest, postgres: Database, seen: World) -> None:
    chance = random.Random(11)
    devices = names(60)
    await seen.register(devices)
    campaigns = [await seen.campaign(half, max_attempts=3) for half in (devices[:30], devices[30:])]

    async def report() -> None:
        for _ in range(15):
            await ingest.take([_message(chance, campaigns, devices) for _ in range(60)])

    async def claim() -> None:
        async with db.pool(postgres.dsn_of("campaign_loops"), size=1) as pool:
            for _ in range(60):
                for campaign in campaigns:
                    await pool.execute(CLAIM, campaign)
                await asyncio.sleep(0.005)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(report())
        group.create_task(claim())

    for campaign in campaigns:
        await seen.assert_counters_equal_rows(campaign)
        statuses = await seen.statuses(campaign)
        assert sum(statuses.values()) == 30
        assert set(statuses) - {status.value for status in ACTIVE}, "some have come to an end, or wait"


async def test_a_batch_of_nothing_but_bad_messages_is_taken(ingest: Ingest, kafka: str) -> None:
    [device] = names(1)
    async with asyncio.timeout(20):
        await ingest.take([read_report(report_topic(TENANT, device), b"bad") for _ in range(450)])
