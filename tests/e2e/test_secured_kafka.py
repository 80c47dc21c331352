"""All four services and the set-up job on a Kafka that wants TLS and a password, and what a changed password does."""

import asyncio
import hashlib
import os
import random
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from fleetsim.connection import Account
from fleetsim.connection import Broker as Door
from fleetsim.fleet import Fleet
from local_stack import tokens
from pulse.contracts.mqtt import user_name
from tests import secured_kafka
from tests.bench.site import Running, Site
from tests.containers.operations_page import shell_blocks
from tests.e2e.arrange import DEVICE_TYPE, NEW, OLD, quick
from tests.e2e.kafka_tools import Shell
from tests.fleetsim.http_files import file, serving
from tests.real_parts import Broker, Database, Databases, RunningPart, Topics
from tests.secured_kafka import SERVICES, SecuredKafka

TENANT, DEVICES = "sealed", 12
FIRMWARE = random.Random(7).randbytes(20_000)


@dataclass(frozen=True, slots=True)
class World:
    """The services, each a process."""

    kafka: SecuredKafka
    shell: Shell
    process: RunningPart
    site: Site
    catalog: Running
    members: tuple[Running, ...]
    """campaign-svc, and those who share partitions."""

    @property
    def campaigns(self) -> Running:
        return self.members[0]

    async def change_password(self, password: str) -> None:
        """Of the services; connections that are there stay."""
        change = f"--alter --entity-type users --entity-name {SERVICES}"
        await self.shell.typed(
            f"kafka-configs.sh --bootstrap-server $KAFKA {change} --add-config 'SCRAM-SHA-512=[password={password}]'"
        )


@asynccontextmanager
async def world(folder: Path, databases: Databases, database: Database, broker: Broker) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        kafka, process = await stack.enter_async_context(secured_kafka.running(folder / "kafka"))
        site = Site(folder, databases, Topics(kafka.plain, process), broker)
        shell = Shell(folder, kafka.plain.bootstrap)
        await shell.prepare()
        await shell.typed(*shell_blocks("Rights at Kafka"))
        access = kafka.access("SEALED", "SCRAM-SHA-512") | {"KAFKA_SASL_USERNAME": SERVICES}
        await set_up({"POSTGRES_DSN": database.dsn, **access})
        catalog = await stack.enter_async_context(site.catalog(database))
        services = (
            site.campaigns(database, **access),
            site.dispatcher(**access),
            site.ingest(database, CAUGHT_UP_SECONDS="0.5", **access),
        )
        members = [await stack.enter_async_context(service) for service in services]
        yield World(kafka, shell, process, site, catalog, tuple(members))


async def set_up(environment: dict[str, str]) -> None:
    command = (sys.executable, "-m", "pulse_setup")
    job = await asyncio.create_subprocess_exec(*command, env=os.environ | environment)
    assert await job.wait() == 0


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.1)


class Operator:
    """Works at the services' own ports."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self._world = world
        self._http = http

    async def post(self, service: Running, path: str, body: dict[str, object]) -> int:
        """The id of what was made, 0 where it has none."""
        answer = await self._http.post(f"{service.url}{path}", json=body)
        assert answer.is_success, answer.text
        return int(answer.json().get("id", 0))

    async def campaign(self, devices: list[str], files: str) -> str:
        """The path of a campaign that has been started."""
        campaigns = self._world.campaigns
        known = [{"device_id": name, "device_type": DEVICE_TYPE, "current_version": OLD} for name in devices]
        await self.post(campaigns, "/customer/devices/bulk", {"devices": known})
        await self.post(campaigns, "/customer/device-groups", {"group_id": "all", "name": "All"})
        await self.post(campaigns, "/customer/device-groups/all/members", {"device_ids": devices})
        firmware = {
            "version": NEW,
            "device_type": DEVICE_TYPE,
            "file_url": f"{files}/new",
            "file_size_bytes": len(FIRMWARE),
            "checksum_sha256": hashlib.sha256(FIRMWARE).hexdigest(),
        }
        wanted = {
            "name": "over TLS",
            "firmware_version_id": await self.post(self._world.catalog, "/customer/firmware", firmware),
            "target_group_id": "all",
            "rollout_rate": 6000,
            "abort_threshold": 1,
        }
        path = f"/customer/ota/campaigns/{await self.post(campaigns, '/customer/ota/campaigns', wanted)}"
        await self.post(campaigns, f"{path}/start", {})
        return path

    async def seen(self, path: str) -> dict[str, object]:
        answer = await self._http.get(f"{self._world.campaigns.url}{path}")
        found: dict[str, object] = answer.json()
        return found


async def test_a_campaign_runs_over_tls_with_a_password_and_outlives_a_changed_one(
    parts_dir: Path, databases: Databases, postgres: Database, mosquitto: Broker
) -> None:
    devices = [f"d{number}" for number in range(DEVICES)]
    accounts = [Account(TENANT, name, secrets.token_urlsafe(9), DEVICE_TYPE, OLD) for name in devices]
    mosquitto.add_accounts({user_name(TENANT, each.device_id): each.password for each in accounts})
    async with (
        serving({"/new": file(FIRMWARE)}) as files,
        world(parts_dir / "sealed", databases, postgres, mosquitto) as made,
        httpx.AsyncClient(trust_env=False, timeout=10) as http,
    ):
        token = tokens.make(made.site.auth_key_file, TENANT, "operator")
        http.headers["Authorization"] = f"Bearer {token}"
        operator = Operator(made, http)
        async with Fleet(accounts, Door(mosquitto.host, mosquitto.port), quick()) as fleet:
            await fleet.ready()
            path = await operator.campaign(devices, files)

            async def is_done() -> bool:
                return (await operator.seen(path))["status"] == "COMPLETED"

            await eventually(is_done, 60)
        assert (await operator.seen(path))["succeeded"] == DEVICES
        await _outlives_a_changed_password(made, http)


async def _outlives_a_changed_password(made: World, http: httpx.AsyncClient) -> None:
    """The cluster closes all connections and has another password; later it has the old one again. Nobody ends."""

    async def readiness() -> list[dict[str, object]]:
        return [(await http.get(f"{service.url}/readyz")).json() for service in made.members]

    async def all_say_why() -> bool:
        return all(f"it refuses user '{SERVICES}'" in str(said.get("reasons")) for said in await readiness())

    async def all_are_ready() -> bool:
        return all(said["ready"] is True for said in await readiness())

    await made.change_password("another")
    await made.process.stop()
    await made.process.start()
    await eventually(all_say_why, 40)
    assert all(service.child.running for service in made.members)
    for service in made.members:
        log = service.child.log.read_text()
        assert "kafka_refuses" in log
        assert "Traceback" not in log
        assert made.kafka.password not in log
    await made.change_password(made.kafka.password)
    await eventually(all_are_ready, 40)
