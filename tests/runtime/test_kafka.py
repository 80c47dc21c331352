"""The producer, against a real Kafka."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import OutOfOrderSequenceNumber

from pulse.contracts.kafka import QUARANTINE
from pulse.runtime.kafka import producer, quarantine
from pulse.runtime.kafka_batches import Record, gather, hand_over
from pulse.runtime.kafka_cluster import Cluster


@pytest.fixture
async def sending(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """Has sent a record, and then given up three that it had numbered."""
    async with producer(Cluster(kafka)) as opened:
        await _put_aside(opened)
        opened._txn_manager.increment_sequence_number(TopicPartition(QUARANTINE.name, 0), 3)
        yield opened


async def test_after_a_batch_that_was_given_up_one_send_fails_and_the_next_arrives(sending: AIOKafkaProducer) -> None:
    with pytest.raises(OutOfOrderSequenceNumber):
        await _put_aside(sending)
    for _ in range(2):
        await _put_aside(sending)


async def test_the_same_with_whole_batches(sending: AIOKafkaProducer) -> None:
    with pytest.raises(OutOfOrderSequenceNumber):
        await _hand_over(sending)
    for _ in range(2):
        await _hand_over(sending)


async def _put_aside(kafka: AIOKafkaProducer) -> None:
    await quarantine(kafka, "mqtt:t", "unreadable", "not JSON", b"x")


async def _hand_over(kafka: AIOKafkaProducer) -> None:
    for batch in await gather(kafka, QUARANTINE, [Record(None, b"k", b"v")]):
        await (await hand_over(kafka, QUARANTINE, batch))
