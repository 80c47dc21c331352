"""Committed changes of status, on their way to whoever follows them."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pulse.contracts.kafka import DEVICE_STATUS, DeviceStatusChanged, encode
from pulse.runtime.kafka_batches import Record, gather, hand_over
from pulse.runtime.tracing import HEADER, TRACES, Update
from status_ingest_svc import metrics

MOST = 20_000
CHUNK = 1_000
"""So many are handed to the producer before other work of the loop has its turn."""
LINGER_SECONDS = 0.05
"""What comes within so long after the first goes out together with it: a request for each partition costs Kafka and
this process more than what it carries."""


class Transitions:
    """Nobody waits for them: with Kafka away the oldest `MOST` are kept, and what comes on top is counted and dropped.

    Who needs every one reads the rows.
    """

    def __init__(self, kafka: AIOKafkaProducer) -> None:
        self._kafka = kafka
        self._waiting: deque[DeviceStatusChanged] = deque()
        self._some = asyncio.Event()
        self._none = asyncio.Event()

    def offer(self, changes: Iterable[DeviceStatusChanged]) -> None:
        """Queues changes in the order in which they were committed."""
        for change in changes:
            if len(self._waiting) < MOST:
                self._waiting.append(change)
            else:
                metrics.UNANNOUNCED.inc()
        if self._waiting:
            self._none.clear()
            self._some.set()

    async def run(self) -> None:
        """Sends until cancelled. What Kafka has not acknowledged is bounded by the producer's batches."""
        while True:
            while self._waiting:
                chunk = list(islice(self._waiting, CHUNK))
                await self._send(chunk)
                for _ in chunk:
                    self._waiting.popleft()
                await asyncio.sleep(0)
            self._some.clear()
            self._none.set()
            await self._some.wait()
            await asyncio.sleep(LINGER_SECONDS)

    async def _send(self, changes: Sequence[DeviceStatusChanged]) -> None:
        unsent = len(changes)
        try:
            for batch in await gather(self._kafka, DEVICE_STATUS, map(_record, changes)):
                acknowledged = await hand_over(self._kafka, DEVICE_STATUS, batch)
                acknowledged.add_done_callback(partial(_count_lost, len(batch.tokens)))
                unsent -= len(batch.tokens)
        except KafkaError:
            metrics.UNANNOUNCED.inc(unsent)

    async def sent(self, seconds: float) -> None:
        """Returns when nothing waits any more, after `seconds` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()


def _record(change: DeviceStatusChanged) -> Record[None]:
    trace = TRACES.traceparent(Update(change.tenant_id, change.campaign_id, change.device_id)) if TRACES.is_on else None
    headers = [(HEADER, trace.encode())] if trace else None
    return Record(None, change.key.encode(), encode(change), headers)


def _count_lost(number: int, acknowledged: "asyncio.Future[object]") -> None:
    if not acknowledged.cancelled() and acknowledged.exception() is not None:
        metrics.UNANNOUNCED.inc(number)
