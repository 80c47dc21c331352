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
LOGGED_EVERY = 20

log = structlog.get_logger()


async def insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Awaits `attempt()` until the database takes it: a lost race is repeated at once, an outage waited for."""
    failures = 0
    while True:
        try:
            return await attempt()
        except RACES:
            metrics.RACES.inc()
            await asyncio.sleep(random.uniform(0.001, 0.05))  # noqa: S311  so that two do not meet again
        except OUTAGES as error:
            if failures % LOGGED_EVERY == 0:
                log.warning("database_away", reason=repr(error))
            failures += 1
            await asyncio.sleep(OUTAGE_SECONDS)


async def insist_on_kafka(attempt: Callable[[], Awaitable[T]]) -> T:
    """Awaits `attempt()` until Kafka takes it."""
    failures = 0
    while True:
        try:
            return await attempt()
        except KafkaError as error:
            if failures % LOGGED_EVERY == 0:
                log.warning("kafka_away", reason=repr(error))
            failures += 1
            await asyncio.sleep(OUTAGE_SECONDS)
