"""Dispatch results come from Kafka in batches; their offsets are committed once they are."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from pulse.contracts.kafka import RESULTS
from pulse.runtime import predecessor
from pulse.runtime.kafka import METADATA_MS, connected
from pulse.runtime.polls import Polls
from pulse.runtime.process import pause
from status_ingest_svc import metrics
from status_ingest_svc.ingest import Ingest
from status_ingest_svc.reading import Message, kind, read_result
from status_ingest_svc.settings import Settings

READ_MS, IDLE_READ_MS, POLL_MS = 200, 500, 100
FINISH_SECONDS = 4.0
RETRY_SECONDS = 0.5

log = structlog.get_logger()


@asynccontextmanager
async def consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A member of ingest's consumer group that commits nothing by itself."""
    opened = settings.kafka.consumer(
        client_id=settings.member.name,
        group_id=settings.member.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=settings.kafka_heartbeat_ms,
        fetch_max_wait_ms=POLL_MS,
        request_timeout_ms=10_000,
        metadata_max_age_ms=METADATA_MS,
    )
    await connected(settings.kafka, opened)
    try:
        yield opened
    finally:
        try:
            async with asyncio.timeout(3):
                await opened.stop()
        except (TimeoutError, KafkaError):
            await opened._client.close()  # noqa: SLF001  stop() has no way to leave out the goodbye


class Results(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka carries no types
    """Reads, has written, commits: at most one batch is in memory, so the position says what is committed."""

    def __init__(
        self, kafka: AIOKafkaConsumer, ingest: Ingest, settings: Settings, can_write: Callable[[], Awaitable[bool]]
    ) -> None:
        self._can_write = can_write
        self._kafka = kafka
        self._ingest = ingest
        self._most = settings.ingest_batch
        self._linger = settings.ingest_linger_ms / 1000
        self._member = settings.member
        self._committed: dict[TopicPartition, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop`, and finishes the batch at hand if that takes no more than 4 s.

        The database is waited for first: who cannot write must not take anybody's share. Then a process of the same
        name that was killed: nobody else's results are held up so.
        """
        while not await self._can_write():
            if await pause(stop, RETRY_SECONDS):
                return
        if not await predecessor.has_gone(self._member, stop):
            return
        self._kafka.subscribe([RESULTS.name], listener=self)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read(stop), name="results-read")
            await stop.wait()
            await asyncio.wait([reading], timeout=FINISH_SECONDS)
            reading.cancel()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002  the library's signature
        self._committed.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        log.info("results_assigned", partitions=sorted(tp.partition for tp in assigned))

    async def _read(self, stop: asyncio.Event) -> None:
        polls = Polls(self._kafka, POLL_MS)
        while not stop.is_set():
            try:
                wait_ms = IDLE_READ_MS if polls.is_idle else READ_MS
                records = await self._kafka.getmany(timeout_ms=wait_ms, max_records=self._most)
                polls.note(came=bool(records))
                if records:
                    await self._take([record for of_one in records.values() for record in of_one])
                await self._commit()
            except KafkaError as error:
                log.warning("results_disturbed", reason=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _take(self, records: list[ConsumerRecord]) -> None:
        messages = [_message(record) for record in records]
        for outcome, number in Counter(kind(message.said) for message in messages).items():
            metrics.RESULTS.labels(outcome).inc(number)
        await self._ingest.take(messages)
        if len(records) < self._most:
            await asyncio.sleep(self._linger)  # a trickle is written in few transactions, too

    async def _commit(self) -> None:
        """Commits what has changed, also the first position of a partition: others look at the group's offsets."""
        positions = {}
        for partition in self._kafka.assignment():
            try:
                async with asyncio.timeout(1):
                    positions[partition] = await self._kafka.position(partition)
            except (IllegalStateError, TimeoutError):
                continue  # it is being moved to another member, or has no position yet
        news = {tp: offset for tp, offset in positions.items() if self._committed.get(tp) != offset}
        if news:
            await self._kafka.commit(news)
            self._committed |= news


def _message(record: ConsumerRecord) -> Message:
    return read_result(f"{record.topic}/{record.partition}/{record.offset}", record.value or b"")
