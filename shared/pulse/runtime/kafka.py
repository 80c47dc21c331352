"""Kafka: a producer, the topics at the start, quarantine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias, TypeVar, get_args

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from prometheus_client import Counter

from pulse.contracts.kafka import QUARANTINE, Message, QuarantineReason, Topic, encode, quarantined
from pulse.runtime import kafka_probe
from pulse.runtime.errors import StartRefused
from pulse.runtime.kafka_cluster import Cluster
from pulse.runtime.tracing import HEADER

QUARANTINED = Counter("pulse_quarantined_total", "Messages put aside because they could not be taken", ["reason"])
for _reason in get_args(QuarantineReason):  # a counter that begins with its first event has no increase to alert on
    QUARANTINED.labels(_reason)
LOOK_SECONDS = 0.5
NOT_ALLOWED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
METADATA_MS = 2_000
"""How often a client looks who leads what. A node that is killed closes its connections, and everybody looks at once;
one that hangs or is cut off does not: its clients would go on asking it until their next regular look."""

log = structlog.get_logger()
T = TypeVar("T")
Client: TypeAlias = AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient


@asynccontextmanager
async def producer(cluster: Cluster, *, linger_ms: int = 5, connect: bool = True) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that loses and repeats nothing by itself (acks=all, idempotent); flushes when left.

    With `connect` it opens once the cluster answers, however long that takes. Without, `connected` is yours to await;
    who sends before waits.
    """
    opened = cluster.producer(
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=131_072,
        request_timeout_ms=10_000,
        metadata_max_age_ms=METADATA_MS,
    )
    if connect:
        await connected(cluster, opened)
    try:
        yield opened
    finally:
        try:
            async with asyncio.timeout(3):
                await opened.stop()
        except (TimeoutError, KafkaError):
            await opened.client.close()


async def connected(cluster: Cluster, client: Client) -> None:
    """Starts a client, once the cluster answers, however long that takes. Raises StartRefused where it is refused."""
    await _once_there(cluster, client.start)


async def topics_once_there(cluster: Cluster, topics: Iterable[Topic]) -> dict[str, int]:
    """The number of partitions of each topic, once the cluster says it, however long that takes.

    Raises StartRefused where a topic is missing or has too few or too many, and where the cluster refuses this process.
    """
    wanted = {topic.name: topic for topic in topics}
    found = await _once_there(cluster, partial(_partitions, cluster, list(wanted)))
    for name, topic in wanted.items():
        _require(topic, found.get(name, 0))
    return found


async def _once_there(cluster: Cluster, question: Callable[[], Awaitable[T]]) -> T:
    """The first answer; a cluster without a majority answers some questions, and not others.

    Raises StartRefused where it is not away, but refuses this process.
    """
    while True:
        try:
            return await question()
        except NOT_ALLOWED as error:
            whom = repr(cluster.username) if cluster.username else "this process"
            raise StartRefused(f"Kafka at {cluster.bootstrap} does not allow {whom} what it needs: {error}") from error
        except (KafkaError, TimeoutError) as error:
            reason = await refused(cluster)
            log.warning("kafka_away", error=repr(error), **({"reason": reason} if reason else {}))
            await asyncio.sleep(LOOK_SECONDS)


async def refused(cluster: Cluster) -> str | None:
    """What else stands in the way, in words. Raises StartRefused where only a changed setting or secret helps."""
    trouble = await kafka_probe.look(cluster)
    if trouble is not None and trouble.is_refusal:
        raise StartRefused(f"Kafka refuses: {trouble.text}")
    return trouble.text if trouble is not None else None


async def _partitions(cluster: Cluster, names: list[str]) -> dict[str, int]:
    """Of the topics that exist. Raises KafkaError."""
    admin = cluster.admin(request_timeout_ms=5_000)
    try:
        await admin.start()
        described = await admin.describe_topics(names)
    finally:
        await admin.close()
    for one in described:
        if one["error_code"] not in (0, UnknownTopicOrPartitionError.errno):
            raise for_code(one["error_code"])(one["topic"])
    return {d["topic"]: len(d["partitions"]) for d in described if d["error_code"] == 0}


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
    return watched(kafka, future)


def watched(kafka: AIOKafkaProducer, sent: "asyncio.Future[object]") -> "asyncio.Future[object]":
    """The same future. Where Kafka refuses the batch's number, what is sent next is numbered from 0 under a new id.

    Else Kafka would refuse all that comes after it, for as long as the process lives. That is so after a batch that the
    client has numbered and given up (its partition had no leader for 10 s), and where Kafka lost the end of its log.
    """
    sent.add_done_callback(partial(_number_anew, kafka))
    return sent


def _number_anew(kafka: AIOKafkaProducer, sent: "asyncio.Future[object]") -> None:
    numbers = kafka._txn_manager  # noqa: SLF001  the client has no way to ask for a new id
    if sent.cancelled() or not isinstance(sent.exception(), OutOfOrderSequenceNumber) or not numbers.has_pid():
        return
    log.warning("producer_numbers_anew", producer_id=numbers.producer_id)
    numbers.__init__(None, numbers.transaction_timeout_ms)  # the sender asks for an id before it sends, as at its start


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
