"""Both REST services on one database and Kafka, and the objects that their operations are tried on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

import campaign_svc.main
import catalog_svc.main
from campaign_svc.announce import Announcer
from local_stack import child
from local_stack.gateway import Gateway
from local_stack.http_probe import answers
from local_stack.layout import ROOT
from local_stack.ports import HOST, free_ports
from pulse.runtime import db, kafka
from pulse.runtime.app import serve
from pulse.runtime.kafka_cluster import Cluster
from tests.openapi import names_its_refusals
from tests.real_parts import Database, Topics
from tests.rest import Caller, token, verifier

OPENAPI = ROOT / "deploy" / "openapi"
FIRMWARE, DEVICES, GROUPS, CAMPAIGNS = (
    "/customer/firmware",
    "/customer/devices",
    "/customer/device-groups",
    "/customer/ota/campaigns",
)


@dataclass(frozen=True, slots=True)
class World:
    """An operator of acme before both services; `sql` sees everything. Each call makes an object of its own."""

    catalog_app: FastAPI
    campaign_app: FastAPI
    api: Caller
    sql: db.Pool
    bootstrap: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def name(self) -> str:
        return f"n{next(self._numbers)}"

    def new_firmware(self, **more: object) -> dict[str, object]:
        known: dict[str, object] = {
            "version": self.name(),
            "file_url": "http://files/f",
            "file_size_bytes": 10,
            "checksum_sha256": "ab" * 32,
        }
        return known | more

    async def firmware(self, **more: object) -> int:
        made = await self.api.post(FIRMWARE, self.new_firmware(**more), status=201)
        return int(made["id"])

    async def device(self) -> str:
        name = self.name()
        await self.api.post(DEVICES, {"device_id": name, "device_type": "gw2"}, status=201)
        return name

    async def group(self, devices: int = 2) -> str:
        name = self.name()
        bulk = [{"device_id": f"{name}-{n}", "device_type": "gw2"} for n in range(devices)]
        await self.api.post(f"{DEVICES}/bulk", {"devices": bulk})
        await self.api.post(GROUPS, {"group_id": name, "name": name}, status=201)
        await self.api.post(f"{GROUPS}/{name}/members", {"device_ids": [one["device_id"] for one in bulk]})
        return name

    async def new_campaign(self, **more: object) -> dict[str, object]:
        group = more.pop("target_group_id", None) or await self.group()
        firmware = await self.firmware()
        return {"name": self.name(), "firmware_version_id": firmware, "target_group_id": group} | more

    async def campaign(self, status: str = "CREATED", **more: object) -> dict[str, Any]:
        """In `status` as if the loops had brought it there; started, it has one FAILED device."""
        made: dict[str, Any] = await self.api.post(CAMPAIGNS, await self.new_campaign(**more), status=201)
        if status != "CREATED":
            await self.api.post(f"{CAMPAIGNS}/{made['id']}/start")
            await self.fail(made["id"], made["target_group_id"] + "-0")
            await self.sql.execute(
                """UPDATE ota_campaigns SET status = $2, completed_at = CASE WHEN $2 = 'COMPLETED' THEN now() END,
                          take_in_after = NULL
                    WHERE id = $1""",
                made["id"],
                status,
            )
        return made

    async def fail(self, campaign_id: int, device_id: str) -> None:
        """As if the device had used up its attempts."""
        await self.sql.execute(
            """UPDATE ota_device_status SET status = 'FAILED', attempt = 3, failures = 3, completed_at = now(),
                      dispatched_at = now(), error_code = 'device_error'
                WHERE campaign_id = $1 AND device_id = $2""",
            campaign_id,
            device_id,
        )

    async def stage(self, campaign_id: int, status: str, number: int = 0) -> None:
        await self.sql.execute(
            "UPDATE ota_campaign_stages SET status = $3 WHERE campaign_id = $1 AND number = $2",
            campaign_id,
            number,
            status,
        )

    async def last_record(self, topic: str) -> bytes:
        """The newest record on a topic's first partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
        await consumer.start()
        try:
            partition = TopicPartition(topic, 0)
            consumer.assign([partition])
            consumer.seek(partition, (await consumer.end_offsets([partition]))[partition] - 1)
            return bytes((await consumer.getone(partition)).value)
        finally:
            await consumer.stop()


def _door(catalog: ASGIApp, campaign: ASGIApp) -> ASGIApp:
    """What the gateway does with paths."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        to_catalog = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{FIRMWARE}/")
        await (catalog if to_catalog else campaign)(scope, receive, send)

    return app


@asynccontextmanager
async def world(postgres: Database, topics: Topics, folder: Path) -> AsyncIterator[World]:
    async with (
        db.pool(postgres.dsn_of("catalog_svc"), size=4) as catalog_pool,
        db.pool(postgres.dsn_of("campaign_svc"), size=8) as campaign_pool,
        db.pool(postgres.dsn, size=2) as sql,
        kafka.producer(Cluster(topics.bootstrap)) as producer,
    ):
        checks = verifier(folder)
        announcer = Announcer(campaign_pool, producer, 2)
        catalog = catalog_svc.main.build(catalog_pool, checks)
        campaign = campaign_svc.main.build(campaign_pool, checks, announcer, {})
        hooks = {"response": [names_its_refusals(catalog, campaign)]}
        async with (
            served(_door(catalog, campaign)) as port,
            httpx.AsyncClient(
                base_url=f"http://{HOST}:{port}", timeout=60, trust_env=False, event_hooks=hooks
            ) as client,
        ):
            yield World(catalog, campaign, Caller(client, token()), sql, topics.bootstrap)


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """The port on which it answers within this block."""
    [port] = free_ports(1)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, HOST, port, stop))
        while not await answers(f"http://{HOST}:{port}/healthz"):
            await asyncio.sleep(0.02)
        yield port
        stop.set()


@asynccontextmanager
async def behind_gateway(world: World, folder: Path) -> AsyncIterator[Gateway]:
    """Both services as their callers reach them."""
    async with served(world.catalog_app) as catalog, served(world.campaign_app) as campaign:
        [port] = free_ports(1)
        gateway = Gateway(folder / "gateway", folder / "files", port, (catalog,), (campaign,), folder / "sign-in.sock")
        process = await child.start(await gateway.prepare(), folder / "gateway.log")
        try:
            await process.until_ready()
            yield gateway
        finally:
            await process.stop()
