"""What is in a Kafka topic, from its beginning to its present end."""

from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from pulse.contracts.kafka import Message, Topic, decoder

M = TypeVar("M", bound=Message)


async def content(bootstrap: str, topic: Topic, kind: type[M]) -> list[M]:
    """All messages, in order within their partition. Fails on one that is no `kind`."""
    read = decoder(kind).decode
    return [read(record.value) for record in await records(bootstrap, topic)]


async def records(bootstrap: str, topic: Topic) -> list[ConsumerRecord]:
    """The same as they are, with their keys and places."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition, first in (await consumer.beginning_offsets(partitions)).items():
            consumer.seek(partition, first)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return found
    finally:
        await consumer.stop()
