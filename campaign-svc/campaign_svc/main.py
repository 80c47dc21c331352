"""Composition root of campaign-svc: the API for one tenant at a time, the loops for all."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI

from campaign_svc.announce import Announcer
from campaign_svc.campaigns import campaign_api
from campaign_svc.engine import engine
from campaign_svc.fleet import fleet_api, import_api
from campaign_svc.insight import history_api, overview_api, streams_api
from campaign_svc.insight.feeds import Feeds
from campaign_svc.settings import CampaignSettings
from pulse.contracts.kafka import CONTROL, REQUESTS
from pulse.runtime import db, kafka
from pulse.runtime.app import Check, create_app, serve
from pulse.runtime.auth import Verifier
from pulse.runtime.kafka_probe import with_reason
from pulse.runtime.process import unless
from pulse.runtime.rate_limit import RateLimits

ROUTERS = (
    campaign_api.router,
    history_api.router,
    overview_api.router,
    streams_api.router,
    import_api.router,
    fleet_api.devices,
    fleet_api.groups,
)


def build(
    pool: db.Pool | None,
    verifier: Verifier | None,
    announcer: Announcer | None,
    ready: Mapping[str, Check],
    limits: RateLimits | None = None,
) -> FastAPI:
    """The application; without parts it can only be described (its OpenAPI), not run."""
    app = create_app("Pulse OTA: campaigns, devices and groups", ready=ready, outages=db.OUTAGES)
    for router in ROUTERS:
        app.include_router(router)
    app.state.pool, app.state.verifier = pool, verifier
    app.state.announcer, app.state.limits = announcer, limits
    app.state.feeds = None if pool is None else Feeds(pool)
    return app


async def main(settings: CampaignSettings, stop: asyncio.Event) -> None:
    """Serves the API and, once Kafka is there, runs the loops, until `stop`. Raises StartRefused."""
    verifier = Verifier(settings)
    async with (
        db.pool(settings.postgres_dsn, size=settings.postgres_pool, name="api") as pool,
        db.pool(
            settings.loops_postgres_dsn, size=engine.POOL_SIZE, name="loops", setting="LOOPS_POSTGRES_DSN"
        ) as loops_pool,
        kafka.producer(settings.kafka, connect=False) as producer,
    ):
        announcer = Announcer(pool, producer, settings.announce_timeout_seconds)
        connected = asyncio.Event()

        async def kafka_answers() -> bool:
            return connected.is_set() and await kafka.answers(producer)

        ready = {"database": lambda: db.answers(pool), "kafka": with_reason(settings.kafka, kafka_answers)}
        app = build(pool, verifier, announcer, ready, RateLimits(settings))
        feeds: Feeds = app.state.feeds
        async with asyncio.TaskGroup() as group:
            group.create_task(feeds.run(stop), name="feeds")
            group.create_task(serve(app, settings.http_host, settings.http_port, stop), name="http")
            partitions = await unless(stop, _connected(settings, producer))
            if partitions is not None:
                connected.set()
                await engine.run(settings, loops_pool, producer, partitions[REQUESTS.name], stop)


async def _connected(settings: CampaignSettings, producer: AIOKafkaProducer) -> dict[str, int]:
    found = await kafka.topics_once_there(settings.kafka, (REQUESTS, CONTROL))
    await kafka.connected(settings.kafka, producer)
    return found
