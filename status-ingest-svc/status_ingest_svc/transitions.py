"""Committed changes of status, on their way to whoever follows them."""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pulse.contracts.kafka import DEVICE_STATUS, DeviceStatusChanged
from pulse.runtime.kafka import send
from status_ingest_svc import metrics

MOST = 20_000


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
                await self._send(self._waiting[0])
                self._waiting.popleft()
            self._some.clear()
            self._none.set()
            await self._some.wait()

    async def _send(self, change: DeviceStatusChanged) -> None:
        try:
            acknowledged = await send(self._kafka, DEVICE_STATUS, change, change.key)
        except KafkaError:
            metrics.UNANNOUNCED.inc()
        else:
            acknowledged.add_done_callback(_counted)

    async def sent(self, seconds: float) -> None:
        """Returns when nothing waits any more, after `seconds` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()


def _counted(acknowledged: "asyncio.Future[object]") -> None:
    if not acknowledged.cancelled() and acknowledged.exception() is not None:
        metrics.UNANNOUNCED.inc()
