"""How far consumer groups and ingest are behind, on the real Kafka and database."""

import asyncio
from math import inf, isinf

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import REGISTRY

from campaign_svc.engine import backlog
from pulse.contracts.kafka import DISPATCHERS, REQUESTS
from pulse.runtime.db import Pool
from pulse.runtime.kafka_cluster import Cluster
from tests.campaign_svc.rows import Fleet
from tests.real_parts import Topics

HERE = TopicPartition(REQUESTS.name, 3)


def lag() -> float | None:
    labels = {"group": DISPATCHERS, "topic": REQUESTS.name, "partition": "3"}
    return REGISTRY.get_sample_value("pulse_kafka_group_lag_records", labels)


def age() -> float:
    return REGISTRY.get_sample_value("pulse_sweep_knowledge_age_seconds") or 0.0


async def commit(bootstrap: str, offset: int) -> None:
    """As a member of the group that then leaves it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=DISPATCHERS, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([HERE])
    await consumer.commit({HERE: offset})
    await consumer.stop()


async def test_what_a_group_has_not_committed_is_its_lag_also_while_nobody_is_in_it(
    topics: Topics, kafka: str, sender: AIOKafkaProducer, loops: Pool, fleet: Fleet
) -> None:
    await topics.clear()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, asyncio.timeout(30):
        group.create_task(backlog.keep(Cluster(kafka), loops, stop, every=0.1))
        first = (await sender.send_and_wait(REQUESTS.name, b"{}", partition=3)).offset
        for _ in range(9):
            await sender.send_and_wait(REQUESTS.name, b"{}", partition=3)
        while lag() != 10:
            await asyncio.sleep(0.05)
        await commit(kafka, first + 4)
        while lag() != 6:
            await asyncio.sleep(0.05)
        while not isinf(age()):
            await asyncio.sleep(0.05)
        await fleet.pool.execute(
            """INSERT INTO ingest_members (ordinal, holder, expires_at, caught_up_at)
               VALUES (0, 'a', now(), now()), (1, 'b', now(), now() - interval '90 seconds')"""
        )
        while age() == inf:
            await asyncio.sleep(0.05)
        assert 90 <= age() < 100, "of the member that is furthest behind"
        stop.set()
