"""Composition root of status-ingest-svc."""

import asyncio

from pulse.contracts.kafka import DEVICE_STATUS, QUARANTINE, RESULTS
from pulse.runtime import db, kafka, waiting
from pulse.runtime.app import create_app, serve
from status_ingest_svc.ingest import Ingest
from status_ingest_svc.membership import Membership
from status_ingest_svc.results import Results, consumer
from status_ingest_svc.settings import Settings
from status_ingest_svc.store import Backoff
from status_ingest_svc.transitions import Transitions
from status_ingest_svc.watermarks import watermarks

TITLE = "Pulse OTA: status ingest"
FLUSH_SECONDS = 1.0


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Serves until `stop`; then results and reports finish, and the transitions go out."""
    bootstrap = settings.kafka_bootstrap
    topics = await waiting.topics(TITLE, settings, bootstrap, (RESULTS, DEVICE_STATUS, QUARANTINE), stop)
    if topics is None:
        return
    async with (
        db.pool(settings.postgres_dsn, size=settings.postgres_pool, command_timeout=15) as database,
        kafka.producer(bootstrap) as producer,
        consumer(settings) as results_consumer,
        watermarks(bootstrap, topics[RESULTS.name]) as marks,
    ):
        transitions = Transitions(producer)
        backoff = Backoff(settings.retry_backoff_seconds, settings.offline_backoff_seconds)
        ingest = Ingest(database, producer, transitions, backoff)
        membership = Membership(database, ingest, marks, settings)
        results = Results(results_consumer, ingest, settings)
        app = create_app(
            TITLE,
            ready={
                "database": lambda: db.answers(database),
                "kafka": marks.answers,
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
