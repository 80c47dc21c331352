"""What must be done and can fail only for a while is tried until it succeeds."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError

from pulse.runtime.db import OUTAGES, RACES
from status_ingest_svc import metrics

T = TypeVar("T")
OUTAGE_SECONDS = 0.5

log = structlog.get_logger()


async def insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Awaits `attempt()` until the database takes it: a lost race is repeated at once, an outage waited for."""
    while True:
        try:
            return await attempt()
        except RACES:
            metrics.RACES.inc()
            await asyncio.sleep(random.uniform(0.001, 0.05))  # noqa: S311  so that two do not meet again
        except OUTAGES as error:
            log.warning("database_away", reason=repr(error))
            await asyncio.sleep(OUTAGE_SECONDS)


async def insist_on_kafka(attempt: Callable[[], Awaitable[T]]) -> T:
    """Awaits `attempt()` until Kafka takes it."""
    while True:
        try:
            return await attempt()
        except KafkaError as error:
            log.warning("kafka_away", reason=repr(error))
            await asyncio.sleep(OUTAGE_SECONDS)
