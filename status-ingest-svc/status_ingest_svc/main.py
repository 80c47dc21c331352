"""Composition root of status-ingest-svc."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pulse.contracts.kafka import DEVICE_STATUS, QUARANTINE, RESULTS
from pulse.runtime import db, kafka, waiting
from pulse.runtime.app import create_app, serve
from pulse.runtime.kafka_probe import with_reason
from status_ingest_svc.ingest import Ingest
from status_ingest_svc.membership import Membership
from status_ingest_svc.results import Results, consumer
from status_ingest_svc.settings import Settings
from status_ingest_svc.store import Backoff
from status_ingest_svc.transitions import Transitions
from status_ingest_svc.watermarks import Watermarks, watermarks

TITLE = "Pulse OTA: status ingest"
FLUSH_SECONDS = 1.0


class Parts(NamedTuple):
    """All that ingest works with, connected; the database may be away."""

    database: db.Pool
    producer: AIOKafkaProducer
    results: AIOKafkaConsumer
    marks: Watermarks


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Serves until `stop`; then results and reports finish, and the transitions go out. Raises StartRefused."""
    async with AsyncExitStack() as stack:
        parts = await waiting.for_kafka(TITLE, settings, stop, _connected(settings, stack))
        if parts is not None:
            await _ingest(settings, parts, stop)


async def _connected(settings: Settings, stack: AsyncExitStack) -> Parts:
    cluster = settings.kafka
    pool = db.pool(settings.postgres_dsn, size=settings.postgres_pool, command_timeout=15)
    database = await stack.enter_async_context(pool)
    topics = await kafka.topics_once_there(cluster, (RESULTS, DEVICE_STATUS, QUARANTINE))
    return Parts(
        database,
        await stack.enter_async_context(kafka.producer(cluster)),
        await stack.enter_async_context(consumer(settings)),
        await stack.enter_async_context(watermarks(cluster, topics[RESULTS.name])),
    )


async def _ingest(settings: Settings, parts: Parts, stop: asyncio.Event) -> None:
    database_answers = partial(db.answers, parts.database)
    transitions = Transitions(parts.producer)
    backoff = Backoff(settings.retry_backoff_seconds, settings.offline_backoff_seconds)
    ingest = Ingest(parts.database, parts.producer, transitions, backoff)
    membership = Membership(parts.database, ingest, parts.marks, settings)
    results = Results(parts.results, ingest, settings, database_answers)
    app = create_app(
        TITLE,
        ready={
            "database": database_answers,
            "kafka": with_reason(settings.kafka, parts.marks.answers),
            "mqtt": membership.is_subscribed,
        },
    )
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(transitions.run(), name="transitions")
        async with asyncio.TaskGroup() as working:
            working.create_task(serve(app, settings.http_host, settings.http_port, stop), name="http")
            working.create_task(results.run(stop), name="results")
            working.create_task(membership.run(stop), name="membership")
        await transitions.sent(FLUSH_SECONDS)
        sending.cancel()
