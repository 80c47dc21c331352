"""Outcomes go to Kafka; a request is settled once Kafka has acknowledged its result."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

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
from pulse.runtime.kafka_batches import Record, gather, hand_over
from pulse.runtime.tracing import HEADER, TRACES, Update

log = structlog.get_logger()
CHUNK = 500
"""So many are handed to the producer before other work of the loop has its turn."""
LINGER_SECONDS = 0.005
"""What comes within so long after the first goes out together with it."""


class Outgoing(NamedTuple):
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
        if TRACES.is_on:
            _trace(held, outcome, reason_code)
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
            await asyncio.sleep(LINGER_SECONDS)
            self._some.clear()
            while self._queue:
                chunk = [self._queue.popleft() for _ in range(min(CHUNK, len(self._queue)))]
                for topic in (RESULTS, QUARANTINE):
                    await self._send(topic, [outgoing for outgoing in chunk if outgoing.topic is topic])
                await asyncio.sleep(0)
        raise self._failure

    def _put(self, outgoing: Outgoing) -> None:
        self._queue.append(outgoing)
        self._some.set()

    async def _send(self, topic: Topic, outgoings: Sequence[Outgoing]) -> None:
        if not outgoings:
            return
        try:
            batches = await gather(self._kafka, topic, map(_record, outgoings))
        except KafkaError as error:
            await self._hold(outgoings, error)
            return
        for batch in batches:
            try:
                sent = await hand_over(self._kafka, topic, batch)
            except KafkaError as error:
                await self._hold(batch.tokens, error)
            else:
                sent.add_done_callback(partial(self._acknowledged, batch.tokens))

    def _acknowledged(self, outgoings: Sequence[Outgoing], sent: "asyncio.Future[object]") -> None:
        if sent.cancelled():
            return
        error = sent.exception()
        if error is not None:
            self._failed(outgoings, error)
            return
        for partition, offset, *_ in outgoings:
            partition.watermark.settle(offset)
            partition.unsent_results -= 1

    async def _hold(self, outgoings: Iterable[Outgoing], error: KafkaError) -> None:
        """The producer did not even take them: again after a moment."""
        self._failed(outgoings, error)
        await asyncio.sleep(0.1)

    def _failed(self, outgoings: Iterable[Outgoing], error: BaseException) -> None:
        if isinstance(error, KafkaTimeoutError) or (isinstance(error, KafkaError) and error.retriable):
            log.warning("results_sent_again", error=repr(error))
            for outgoing in outgoings:
                self._put(outgoing)
        else:
            self._failure = error
            self._some.set()


def _record(outgoing: Outgoing) -> Record[Outgoing]:
    headers = [(HEADER, outgoing.trace.encode())] if outgoing.trace else None
    return Record(outgoing, outgoing.key.encode(), encode(outgoing.message), headers)


def _trace(held: Held, outcome: Outcome, reason_code: int | None) -> None:
    """From the request's arrival in Kafka to the broker's answer, or to what settled it otherwise."""
    request = held.request
    update = Update(request.tenant_id, request.campaign_id, request.device_id)
    answer = -1 if reason_code is None else reason_code
    now = time.time()
    TRACES.step("dispatch", update, held.asked_at, now, attempt=request.attempt, outcome=outcome, reason_code=answer)
