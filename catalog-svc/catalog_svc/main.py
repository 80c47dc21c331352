"""Composition root of catalog-svc."""

import asyncio

from fastapi import FastAPI

from catalog_svc import gateway_certificate
from catalog_svc.api import router
from catalog_svc.file_check import FileCheck
from catalog_svc.settings import CatalogSettings
from pulse.runtime import db
from pulse.runtime.app import create_app, serve
from pulse.runtime.auth import Verifier
from pulse.runtime.rate_limit import RateLimits


def build(
    pool: db.Pool | None,
    verifier: Verifier | None,
    limits: RateLimits | None = None,
    files: FileCheck | None = None,
) -> FastAPI:
    """The application; without parts it can only be described (its OpenAPI), not run. `files`: else nobody is asked."""

    async def database() -> bool:
        return pool is not None and await db.answers(pool)

    app = create_app("Pulse OTA: firmware", ready={"database": database}, outages=db.OUTAGES)
    app.include_router(router)
    app.state.pool, app.state.verifier, app.state.limits = pool, verifier, limits
    app.state.files = files or FileCheck(None)
    return app


async def main(settings: CatalogSettings, stop: asyncio.Event) -> None:
    """Serves until `stop`."""
    verifier = Verifier(settings)
    files = FileCheck(settings.file_check_networks if settings.file_check else None)
    async with (
        db.pool(settings.postgres_dsn, size=settings.postgres_pool, name="api") as pool,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(gateway_certificate.watch(settings.public_url), name="gateway-certificate")
        app = build(pool, verifier, RateLimits(settings), files)
        await serve(app, settings.http_host, settings.http_port, stop)
        watching.cancel()
