"""Kafka: a producer, the check of topics at the start, quarantine."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import get_args

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from prometheus_client import Counter

from pulse.contracts.kafka import QUARANTINE, Message, QuarantineReason, Topic, encode, quarantined
from pulse.runtime.errors import StartRefused
from pulse.runtime.tracing import HEADER

QUARANTINED = Counter("pulse_quarantined_total", "Messages put aside because they could not be taken", ["reason"])
for _reason in get_args(QuarantineReason):  # a counter that begins with its first event has no increase to alert on
    QUARANTINED.labels(_reason)
START_SECONDS = 30.0
METADATA_MS = 2_000
"""How often a client looks who leads what. A node that is killed closes its connections, and everybody looks at once;
one that hangs or is cut off does not: its clients would go on asking it until their next regular look."""


@asynccontextmanager
async def producer(bootstrap: str, *, linger_ms: int = 5) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that loses and repeats nothing by itself (acks=all, idempotent); flushes when left."""
    opened = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=131_072,
        request_timeout_ms=10_000,
        metadata_max_age_ms=METADATA_MS,
    )
    await started(opened)
    try:
        yield opened
    finally:
        try:
            async with asyncio.timeout(3):
                await opened.stop()
        except (TimeoutError, KafkaError):
            await opened.client.close()


async def started(client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Starts a client; waits for a broker that is not there yet. Raises StartRefused after 30 s."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        try:
            await client.start()
        except KafkaConnectionError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise StartRefused(f"Kafka does not answer: {error}") from error
            await asyncio.sleep(0.5)
        else:
            return


async def require_topics(bootstrap: str, topics: Iterable[Topic]) -> dict[str, int]:
    """The number of partitions of each topic. Raises StartRefused where one is missing or has too few or too many."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await started(admin)
    wanted = {topic.name: topic for topic in topics}
    try:
        described = await admin.describe_topics(list(wanted))
    finally:
        await admin.close()
    found = {d["topic"]: len(d["partitions"]) for d in described if d["error_code"] == 0}
    for name, topic in wanted.items():
        _require(topic, found.get(name, 0))
    return found


def _require(topic: Topic, partitions: int) -> None:
    if partitions == 0:
        raise StartRefused(f"Kafka topic {topic.name} is missing; run the set-up job (python -m pulse_setup)")
    if partitions < topic.least:
        raise StartRefused(f"Kafka topic {topic.name} has {partitions} partitions, at least {topic.least} are needed")
    if topic.most is not None and partitions > topic.most:
        raise StartRefused(f"Kafka topic {topic.name} has {partitions} partitions, at most {topic.most} are allowed")


async def send(
    kafka: AIOKafkaProducer,
    topic: Topic,
    message: Message,
    key: str,
    partition: int | None = None,
    trace: str | None = None,
) -> "asyncio.Future[object]":
    """Queues a message; the future resolves when Kafka has it. Waits only while the producer's buffer is full.

    `trace`: a traceparent for its headers.
    """
    headers = [(HEADER, trace.encode())] if trace else None
    future: asyncio.Future[object] = await kafka.send(
        topic.name, encode(message), key=key.encode(), partition=partition, headers=headers
    )
    return future


async def quarantine(
    kafka: AIOKafkaProducer, source: str, reason: QuarantineReason, detail: str, payload: bytes
) -> None:
    """Puts a message aside with its reason, and counts it; returns when Kafka has it. Raises KafkaError."""
    record = quarantined(source, reason, detail, payload)
    await (await send(kafka, QUARANTINE, record, record.key))
    QUARANTINED.labels(reason).inc()


async def answers(kafka: AIOKafkaProducer) -> bool:
    """Whether the cluster answers within two seconds."""
    try:
        async with asyncio.timeout(2):
            await kafka.client.fetch_all_metadata()
    except (TimeoutError, KafkaError):
        return False
    return True
