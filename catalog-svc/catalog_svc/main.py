"""Composition root of catalog-svc."""

import asyncio

from fastapi import FastAPI

from catalog_svc import gateway_certificate
from catalog_svc.api import router
from catalog_svc.settings import CatalogSettings
from pulse.runtime import db
from pulse.runtime.app import create_app, serve
from pulse.runtime.auth import Verifier
from pulse.runtime.rate_limit import RateLimits


def build(pool: db.Pool | None, verifier: Verifier | None, limits: RateLimits | None = None) -> FastAPI:
    """The application; without parts it can only be described (its OpenAPI), not run."""

    async def database() -> bool:
        return pool is not None and await db.answers(pool)

    app = create_app("Pulse OTA: firmware", ready={"database": database}, outages=db.OUTAGES)
    app.include_router(router)
    app.state.pool, app.state.verifier, app.state.limits = pool, verifier, limits
    return app


async def main(settings: CatalogSettings, stop: asyncio.Event) -> None:
    """Serves until `stop`."""
    verifier = Verifier(settings)
    async with (
        db.pool(settings.postgres_dsn, size=settings.postgres_pool, name="api") as pool,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(gateway_certificate.watch(settings.public_url), name="gateway-certificate")
        await serve(build(pool, verifier, RateLimits(settings)), settings.http_host, settings.http_port, stop)
        watching.cancel()
