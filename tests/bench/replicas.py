"""One, two and three replicas of the REST services, each service alone: requests answered, and devices claimed."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg

from local_stack import tokens
from pulse.contracts.kafka import REQUESTS
from tests.bench import kafka_tools, progress, rest
from tests.bench.fleet_rows import GROUP, NEW, operator, put_devices, put_firmware
from tests.bench.raw_mqtt import device_name
from tests.bench.site import Running, Site
from tests.status_ingest_svc.world import world

TENANTS = tuple(f"tenant{number}" for number in range(6))
DEVICES = 15_000
"""Of each tenant, in one campaign."""
FASTEST = 600_000
"""Devices per minute; a look-ahead of 5 s is more than a campaign has."""
CATALOG_PATHS = ("/customer/firmware", "/customer/firmware/{firmware}")
CAMPAIGN_PATHS = (
    "/customer/ota/campaigns/{campaign}",
    "/customer/ota/campaigns/{campaign}/devices",
    "/customer/devices/{device}",
    f"/customer/device-groups/{GROUP}",
)


async def catalogs(site: Site, number: int) -> float:
    """Requests per second of so many replicas of catalog-svc."""
    async with site.fresh_database() as database, world(database.dsn) as seen, AsyncExitStack() as stack:
        firmware = await put_firmware(seen.sql, TENANTS[0], NEW)
        each = (site.catalog(database, **rest.WITHOUT_LIMITS) for _ in range(number))
        started = [await stack.enter_async_context(one) for one in each]
        return await rest.rate(started, [path.format(firmware=firmware) for path in CATALOG_PATHS], _token(site))


async def campaigns(site: Site, number: int) -> float:
    """Requests per second of so many replicas of campaign-svc; no campaign is under way."""
    async with site.fresh_database() as database, world(database.dsn) as seen, AsyncExitStack() as stack:
        each = (site.campaigns(database, **rest.WITHOUT_LIMITS) for _ in range(number))
        started = [await stack.enter_async_context(one) for one in each]
        campaign = await _create(site, started[0], seen.sql, TENANTS[0])
        paths = [path.format(campaign=campaign, device=device_name(DEVICES // 2)) for path in CAMPAIGN_PATHS]
        return await rest.rate(started, paths, _token(site))


async def claims(site: Site, number: int) -> float:
    """Devices per second that so many replicas of campaign-svc claim, for campaigns of six tenants side by side.

    Until their requests are in Kafka.
    """
    total = len(TENANTS) * DEVICES
    async with site.fresh_database() as database, world(database.dsn) as seen, AsyncExitStack() as stack:
        started = [await stack.enter_async_context(site.campaigns(database)) for _ in range(number)]
        made = {tenant: await _create(site, started[0], seen.sql, tenant) for tenant in TENANTS}
        requests = await stack.enter_async_context(kafka_tools.growth(site.topics.bootstrap, REQUESTS))
        async with asyncio.TaskGroup() as group:
            for tenant, campaign in made.items():
                group.create_task(_start(site, started[0], tenant, campaign))
            rate = await progress.rate(started[0].child, requests, total)
        queued = await seen.sql.fetchval("SELECT count(*) FROM ota_device_status WHERE status = 'QUEUED'")
        assert queued == total, f"{queued} devices are QUEUED, not {total}"
    return rate


async def _create(site: Site, process: Running, sql: asyncpg.Connection, tenant: str) -> int:
    await put_devices(sql, tenant, DEVICES)
    async with operator(site, process, tenant) as user:
        return await user.create(await put_firmware(sql, tenant, NEW), rollout_rate=FASTEST)


async def _start(site: Site, process: Running, tenant: str, campaign: int) -> None:
    async with operator(site, process, tenant) as user:
        await user.post(f"/customer/ota/campaigns/{campaign}/start", {})


def _token(site: Site) -> str:
    return tokens.make(site.auth_key_file, TENANTS[0], "admin")
