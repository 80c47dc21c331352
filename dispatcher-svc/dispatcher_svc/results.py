"""Outcomes go to Kafka; a request is settled once Kafka has acknowledged its result."""

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from dispatcher_svc import metrics
from dispatcher_svc.partition import Partition
from dispatcher_svc.queues import Held
from pulse.contracts.kafka import (
    QUARANTINE,
    RESULTS,
    DispatchResult,
    Message,
    Outcome,
    Topic,
    encode,
    quarantined,
)
from pulse.contracts.times import now
from pulse.runtime.kafka import QUARANTINED

log = structlog.get_logger()
CHUNK = 100
"""So many are handed to the producer before other work of the loop has its turn."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way; Kafka's acknowledgement settles `offset` of `partition`."""

    partition: Partition
    offset: int
    topic: Topic
    message: Message
    key: str
    trace: str | None = None


class Results:
    """`settle` and `quarantine` only queue; `run` sends, and sends again what failed in passing.

    The queue is bounded by what may be held of the partitions.
    """

    def __init__(self, kafka: AIOKafkaProducer) -> None:
        self._kafka = kafka
        self._queue: deque[Outgoing] = deque()
        self._some = asyncio.Event()
        self._failure: BaseException | None = None

    def settle(self, held: Held, outcome: Outcome, reason_code: int | None = None) -> None:
        request = held.request
        result = DispatchResult(
            tenant_id=request.tenant_id,
            campaign_id=request.campaign_id,
            device_id=request.device_id,
            attempt=request.attempt,
            outcome=outcome,
            reason_code=reason_code,
            at=now(),
        )
        metrics.OUTCOMES[outcome].inc()
        held.partition.unsent_results += 1
        self._put(Outgoing(held.partition, held.offset, RESULTS, result, result.key, held.trace))

    def quarantine(self, partition: Partition, source: str, offset: int, detail: str, payload: bytes) -> None:
        """Puts an unreadable request aside."""
        record = quarantined(source, "unreadable", detail, payload)
        QUARANTINED.labels("unreadable").inc()
        partition.unsent_results += 1
        self._put(Outgoing(partition, offset, QUARANTINE, record, record.key))

    async def run(self) -> None:
        """Until cancelled. Raises KafkaError where Kafka refuses for good."""
        while self._failure is None:
            await self._some.wait()
            self._some.clear()
            while self._queue:
                for _ in range(min(CHUNK, len(self._queue))):
                    await self._send(self._queue.popleft())
                await asyncio.sleep(0)
        raise self._failure

    def _put(self, outgoing: Outgoing) -> None:
        self._queue.append(outgoing)
        self._some.set()

    async def _send(self, outgoing: Outgoing) -> None:
        headers = [("traceparent", outgoing.trace.encode())] if outgoing.trace else None
        try:
            sent = await self._kafka.send(
                outgoing.topic.name,
                encode(outgoing.message),
                key=outgoing.key.encode(),
                headers=headers,
            )
        except KafkaError as error:
            self._failed(outgoing, error)
            await asyncio.sleep(0.1)
        else:
            sent.add_done_callback(partial(self._acknowledged, outgoing))

    def _acknowledged(self, outgoing: Outgoing, sent: "asyncio.Future[object]") -> None:
        if sent.cancelled():
            return
        error = sent.exception()
        if error is None:
            outgoing.partition.watermark.settle(outgoing.offset)
            outgoing.partition.unsent_results -= 1
        else:
            self._failed(outgoing, error)

    def _failed(self, outgoing: Outgoing, error: BaseException) -> None:
        if isinstance(error, KafkaTimeoutError) or (isinstance(error, KafkaError) and error.retriable):
            log.warning("result_sent_again", error=repr(error))
            self._put(outgoing)
        else:
            self._failure = error
            self._some.set()
