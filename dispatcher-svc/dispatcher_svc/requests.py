"""Dispatch requests come in from Kafka, and each goes to its campaign's queue within its partition."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from dispatcher_svc.clients import POLL_MS
from dispatcher_svc.intake import Intake
from dispatcher_svc.partition import Partition, Stage
from dispatcher_svc.queues import Held
from dispatcher_svc.results import Results
from pulse.contracts.kafka import REQUESTS, UNREADABLE, DispatchRequest, decoder
from pulse.runtime.polls import Polls
from pulse.runtime.tracing import HEADER

log = structlog.get_logger()
Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
READ_MS, IDLE_READ_MS, READ_MAX = 100, 500, 500
RESUME_SHARE = 0.75
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Requests:
    """Reads what the group gives to `consumer`.

    `partitions` are those held now, by number. Of a partition with `held_max` unsettled requests no more are read
    until a quarter of them is gone; those of a campaign that does not move expire, so this never lasts.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        partitions: Mapping[int, Partition],
        intake: Intake,
        results: Results,
        held_max: int,
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._intake = intake
        self._results = results
        self._held_max = held_max
        self._decode = decoder(DispatchRequest).decode

    async def read(self) -> None:
        """Until cancelled. Raises KafkaError where Kafka refuses for good."""
        polls = Polls(self._consumer, POLL_MS)
        while True:
            wait_ms = IDLE_READ_MS if polls.is_idle and not self._intake.holds else READ_MS
            batches = await self._consumer.getmany(timeout_ms=wait_ms, max_records=READ_MAX)
            polls.note(came=bool(batches))
            for topic_partition, records in batches.items():
                self._take(topic_partition, records)
            self._bound()
            await asyncio.sleep(0)

    def _take(self, topic_partition: TopicPartition, records: Sequence[Record]) -> None:
        partition = self._partitions.get(topic_partition.partition)
        if partition is None or partition.stage is not Stage.HELD:
            return
        for record in records:
            partition.watermark.read(record.offset)
            self._accept(partition, record)

    def _accept(self, partition: Partition, record: Record) -> None:
        payload = record.value or b""
        try:
            request = self._decode(payload)
        except UNREADABLE as error:
            source = f"{record.topic}/{record.partition}/{record.offset}"
            log.warning("request_unreadable", source=source, error=str(error))
            self._results.quarantine(partition, source, record.offset, str(error), payload)
            return
        held = Held(
            partition=partition,
            offset=record.offset,
            request=request,
            not_after=request.not_after.timestamp(),
            expires_at=request.expires_at.timestamp(),
            asked_at=record.timestamp / 1000,
            trace=_trace(record),
        )
        self._intake.accept(held)

    def _bound(self) -> None:
        paused = self._consumer.paused()
        for partition in self._partitions.values():
            if partition.stage is not Stage.HELD:
                continue
            here = TopicPartition(REQUESTS.name, partition.number)
            unsettled = partition.watermark.unsettled
            if unsettled >= self._held_max and here not in paused:
                self._consumer.pause(here)
            elif unsettled <= self._held_max * RESUME_SHARE and here in paused:
                self._consumer.resume(here)


def _trace(record: Record) -> str | None:
    headers: Sequence[tuple[str, bytes]] = record.headers
    for name, value in headers:
        if name == HEADER and _TRACEPARENT.fullmatch(value):
            return value.decode()
    return None
