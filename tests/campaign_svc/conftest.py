"""What tests of the loops share: the database as its superuser sees it, the loops' own role, and Kafka."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from campaign_svc.announce import Announcer
from campaign_svc.engine.engine import POOL_SIZE, Engine
from campaign_svc.engine.progress import Progress
from campaign_svc.engine.rollout import Rollout
from pulse.contracts.kafka import REQUESTS
from pulse.runtime import db
from pulse.runtime.kafka import producer
from pulse.runtime.kafka_cluster import Cluster
from tests.campaign_svc.rows import Fleet, settings
from tests.real_parts import Database


@pytest.fixture(scope="module")
async def loops(postgres: Database) -> AsyncIterator[db.Pool]:
    """Logged in as `campaign_loops`: what it may not do, no test of the engine can do."""
    async with db.pool(postgres.dsn_of("campaign_loops"), size=POOL_SIZE) as pool:
        yield pool


@pytest.fixture(scope="module")
async def everything(postgres: Database) -> AsyncIterator[db.Pool]:
    async with db.pool(postgres.dsn, size=4) as pool:
        yield pool


@pytest.fixture
async def fleet(everything: db.Pool) -> Fleet:
    """No campaigns, rows or members yet."""
    made = Fleet(everything)
    await made.clear()
    return made


@pytest.fixture(scope="module")
async def sender(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    async with producer(Cluster(kafka)) as opened:
        yield opened


@pytest.fixture
def engine(loops: db.Pool, sender: AIOKafkaProducer) -> Engine:
    """To tick by hand."""
    told = settings(tick_seconds=5.0, chunk_rows=7)
    progress = Progress(loops, Announcer(loops, sender, 2.0), told)
    return Engine(loops, progress, Rollout(loops, sender, told, REQUESTS.partitions), told)
