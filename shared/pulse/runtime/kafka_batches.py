"""Many records go to Kafka at once: gathered by partition and handed over as whole batches.

One by one, a record costs the client some twenty microseconds, most of it for a future of its own; in a batch it costs
three.
"""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from pulse.contracts.kafka import Topic
from pulse.runtime.kafka import watched

T = TypeVar("T")
Headers: TypeAlias = list[tuple[str, bytes]]
_default = DefaultPartitioner()


@lru_cache(maxsize=65_536)
def _partition_of(key: bytes, partitions: tuple[int, ...]) -> int:
    """As the client would choose it; remembered, since a device speaks several times and the hash is plain Python."""
    return int(_default(key, partitions, partitions))


class Record(NamedTuple, Generic[T]):
    """What goes out, and the caller's own name for it. `partition` None: the one that the key gives."""

    token: T
    key: bytes
    value: bytes
    headers: Headers | None = None
    partition: int | None = None


class Batch(Generic[T]):
    """Records of one partition, ready to be handed over."""

    __slots__ = ("builder", "partition", "tokens")

    def __init__(self, kafka: AIOKafkaProducer, partition: int) -> None:
        self.partition = partition
        self.builder = kafka.create_batch()
        self.tokens: list[T] = []

    def take(self, record: Record[T]) -> bool:
        """False when it is full."""
        headers = record.headers or []
        if self.builder.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
            return False
        self.tokens.append(record.token)
        return True


async def gather(kafka: AIOKafkaProducer, topic: Topic, records: Iterable[Record[T]]) -> list[Batch[T]]:
    """The records as batches, in which those of a partition keep their order. Raises KafkaError."""
    partitions = tuple(sorted(await kafka.partitions_for(topic.name)))
    full: list[Batch[T]] = []
    filling: dict[int, Batch[T]] = {}
    for record in records:
        number = record.partition
        if number is None:
            number = _partition_of(record.key, partitions)
        batch = filling.get(number)
        if batch is None:
            batch = filling[number] = Batch(kafka, number)
        if not batch.take(record):
            full.append(batch)
            batch = filling[number] = Batch(kafka, number)
            batch.take(record)  # an empty one takes any record
    return [*full, *filling.values()]


async def hand_over(kafka: AIOKafkaProducer, topic: Topic, batch: Batch[T]) -> "asyncio.Future[object]":
    """Queues a batch; the future resolves when Kafka has it. Waits while the last one of its partition is still queued.

    Raises KafkaError, KafkaTimeoutError among them when that takes too long.
    """
    batch.builder.close()
    handed: asyncio.Future[object] = await kafka.send_batch(batch.builder, topic.name, partition=batch.partition)
    return watched(kafka, handed)
