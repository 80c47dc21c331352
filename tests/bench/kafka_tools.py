"""What benches ask of Kafka: how far topics go, and whether a group has done all of one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from pulse.contracts.kafka import Topic


@asynccontextmanager
async def growth(bootstrap: str, topic: Topic) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Asks how many records the topic has got since the beginning."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]

    async def written() -> int:
        ends = await consumer.end_offsets(partitions)
        return sum(ends.values())

    try:
        before = await written()

        async def grown() -> int:
            return await written() - before

        yield grown
    finally:
        await consumer.stop()


@asynccontextmanager
async def producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    opened = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_batch_size=262_144)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


async def until_committed(bootstrap: str, group: str, topic: Topic, seconds: float = 30) -> None:
    """Returns when the group has committed all of the topic. Raises TimeoutError."""
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    admin, consumer = AIOKafkaAdminClient(bootstrap_servers=bootstrap), AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await admin.start()
    await consumer.start()
    try:
        ends = await consumer.end_offsets(partitions)
        async with asyncio.timeout(seconds):
            while True:
                committed = await admin.list_consumer_group_offsets(group)
                if all(end == 0 or committed[tp].offset >= end for tp, end in ends.items()):
                    return
                await asyncio.sleep(0.05)
    finally:
        await consumer.stop()
        await admin.close()
