"""A fetch of several partitions is long while nothing comes, and short while something does; against a real Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from pulse.contracts.kafka import RESULTS
from pulse.runtime.polls import IDLE_MS, QUIET_SECONDS, Polls
from tests.real_parts import Topics

BUSY_MS = 50


class Clock:
    """Time that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def consumer(topics: Topics) -> AsyncIterator[AIOKafkaConsumer]:
    """Of all partitions of a topic, from their ends."""
    opened = AIOKafkaConsumer(bootstrap_servers=topics.bootstrap, fetch_max_wait_ms=BUSY_MS)
    await opened.start()
    try:
        parts = [TopicPartition(RESULTS.name, number) for number in range(RESULTS.partitions)]
        opened.assign(parts)
        await opened.seek_to_end(*parts)
        yield opened
    finally:
        await opened.stop()


@pytest.fixture
async def send(topics: Topics) -> AsyncIterator[Callable[[int], asyncio.Future[object]]]:
    async with AIOKafkaProducer(bootstrap_servers=topics.bootstrap, linger_ms=0) as producer:
        yield lambda partition: producer.send_and_wait(RESULTS.name, b"x", partition=partition)


def wait_ms(consumer: AIOKafkaConsumer) -> int:
    return int(consumer._fetcher._fetch_max_wait_ms)


async def test_after_two_quiet_seconds_a_fetch_waits_longer_and_after_a_record_no_more(
    consumer: AIOKafkaConsumer,
) -> None:
    clock = Clock()
    polls = Polls(consumer, BUSY_MS, clock)
    polls.note(came=False)
    assert (wait_ms(consumer), polls.is_idle) == (BUSY_MS, False)
    clock.now += QUIET_SECONDS
    polls.note(came=False)
    assert (wait_ms(consumer), polls.is_idle) == (IDLE_MS, True)
    polls.note(came=True)
    assert (wait_ms(consumer), polls.is_idle) == (BUSY_MS, False)


async def test_a_record_ends_a_long_fetch_at_once_and_the_next_of_its_partition_waits_for_no_idle_one(
    consumer: AIOKafkaConsumer, send: Callable[[int], asyncio.Future[object]]
) -> None:
    clock = Clock()
    polls = Polls(consumer, BUSY_MS, clock)
    clock.now += QUIET_SECONDS
    late = []
    for _ in range(20):
        while await consumer.getmany(timeout_ms=2 * IDLE_MS):
            polls.note(came=True)
        clock.now += QUIET_SECONDS
        polls.note(came=False)
        await consumer.getmany(timeout_ms=2 * IDLE_MS)  # a long fetch is out
        for _ in range(2):
            sent = time.monotonic()
            await send(1)
            assert await consumer.getmany(timeout_ms=2_000)
            polls.note(came=True)
            late.append(time.monotonic() - sent)
    assert sorted(late)[len(late) * 3 // 4] < IDLE_MS / 1000 / 2, late
