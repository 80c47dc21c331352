"""How far the consumer groups and the ingest replicas are behind, measured from outside: also when all are dead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from campaign_svc.metrics import GROUP_LAG, OUTAGES, SWEEP_KNOWLEDGE_AGE
from pulse.contracts.kafka import DISPATCHERS, INGESTS, REQUESTS, RESULTS
from pulse.runtime import db
from pulse.runtime.db import Pool
from pulse.runtime.kafka import METADATA_MS
from pulse.runtime.kafka_cluster import Cluster
from pulse.runtime.process import pause

GROUPS = ((DISPATCHERS, REQUESTS.name), (INGESTS, RESULTS.name))
LOOK_SECONDS = 5.0
ANSWER_SECONDS = 10.0
_BEHIND = "SELECT extract(epoch FROM clock_timestamp() - min(caught_up_at))::double precision FROM ingest_members"

log = structlog.get_logger()


async def keep(cluster: Cluster, pool: Pool, stop: asyncio.Event, every: float = LOOK_SECONDS) -> None:
    """Measures each `every` seconds until `stop`, and waits out a Kafka or database that is away."""
    while not stop.is_set():
        try:
            async with _clients(cluster) as (admin, ends):
                while not await pause(stop, every):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await _measure(admin, ends)
                        await _measure_ingest(pool)
        except (KafkaError, *db.OUTAGES) as error:
            OUTAGES.labels("backlog").inc()
            log.warning("backlog_not_measured", error=repr(error))
            await pause(stop, every)


@asynccontextmanager
async def _clients(cluster: Cluster) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    admin = cluster.admin(request_timeout_ms=5_000)
    ends = cluster.consumer(request_timeout_ms=5_000, metadata_max_age_ms=METADATA_MS)
    await admin.start()
    try:
        await ends.start()
        yield admin, ends
    finally:
        await ends.stop()
        await admin.close()


async def _measure(admin: AIOKafkaAdminClient, ends: AIOKafkaConsumer) -> None:
    """What a group has never committed counts from the partition's begin: retention bounds it."""
    for group, topic in GROUPS:
        partitions = await _partitions(admin, topic)
        committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
        begins = await ends.beginning_offsets(partitions)
        for partition, end in (await ends.end_offsets(partitions)).items():
            reached = committed[partition].offset if partition in committed else 0
            lag = end - max(reached, begins[partition])
            GROUP_LAG.labels(group, topic, partition.partition).set(max(0, lag))


async def _partitions(admin: AIOKafkaAdminClient, topic: str) -> list[TopicPartition]:
    """Asked each time: a topic may grow."""
    [described] = await admin.describe_topics([topic])
    return [TopicPartition(topic, each["partition"]) for each in described["partitions"]]


async def _measure_ingest(pool: Pool) -> None:
    behind = await pool.fetchval(_BEHIND)
    SWEEP_KNOWLEDGE_AGE.set(inf if behind is None else behind)
