"""A tenant of a test's own: firmware, devices with accounts at the broker, a group, campaigns."""

import asyncio
import hashlib
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from fleetsim.agent import Agent
from fleetsim.connection import Account, Broker
from fleetsim.fleet import Fleet
from fleetsim.nature import Behaviour, Failure
from local_stack import broker_accounts
from pulse.contracts.mqtt import user_name
from tests.e2e.campaign import Campaign, Json
from tests.e2e.stack import Stack
from tests.e2e.watch import Watch

DEVICE_TYPE = "gw2"
OLD, NEW = "1.0.0", "2.0.0"
GROUP = "all"
FIRMWARE_BYTES = 150_000
QUICK = Behaviour(download_seconds=(0.2, 0.6), install_seconds=(0.2, 0.6))
_tenants = (f"e2e-{number}" for number in count(1))
_seeds = count(1)


def quick(**nature: Any) -> Behaviour:
    """Devices that need about a second for an update; `nature`: fields of Behaviour."""
    return replace(QUICK, seed=next(_seeds), **nature)


def broken(*kinds: Failure) -> Behaviour:
    """Devices whose updates fail every time."""
    return quick(fail=1.0, failures=kinds or (Failure.INSTALL,))


class Site:
    """One tenant. `fleets` and `campaigns` are all that a test has made, for the checks at its end."""

    def __init__(self, stack: Stack, tenant: str, http: httpx.AsyncClient, database: asyncpg.Pool) -> None:
        self.stack = stack
        self.tenant = tenant
        self.http = http
        self.database = database
        self.watch = Watch(database, tenant)
        self.fleets: list[Fleet] = []
        self.campaigns: list[Campaign] = []
        self._numbers = count(1)

    @property
    def agents(self) -> list[Agent]:
        return [agent for fleet in self.fleets for agent in fleet]

    def bearing(self, role: str) -> dict[str, str]:
        """The headers of somebody of this tenant with only that role."""
        return {"Authorization": f"Bearer {self.stack.token(self.tenant, role)}"}

    async def post(self, path: str, body: Json) -> Json:
        """The answer's body. Fails on a refusal."""
        answer = await self.http.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        read: Json = answer.json()
        return read

    async def firmware(self, version: str = NEW) -> int:
        """A file that the gateway serves, registered; its id."""
        content = random.Random(f"{self.tenant}/{version}").randbytes(FIRMWARE_BYTES)
        name = f"{self.tenant}-{version}.bin"
        (Path(self.stack["FILES_DIR"]) / name).write_bytes(content)
        firmware = {
            "version": version,
            "device_type": DEVICE_TYPE,
            "file_url": f"{self.stack['GATEWAY_URL']}/files/{name}",
            "file_size_bytes": len(content),
            "checksum_sha256": hashlib.sha256(content).hexdigest(),
        }
        return int((await self.post("/customer/firmware", firmware))["id"])

    async def registered(self, number: int) -> list[str]:
        """New devices, members of the group; nobody is there to speak for them. At most 10,000."""
        names = [f"d{next(self._numbers):03}" for _ in range(number)]
        known = {"device_type": DEVICE_TYPE, "current_version": OLD}
        await self.post("/customer/devices/bulk", {"devices": [{"device_id": name, **known} for name in names]})
        await self.post(f"/customer/device-groups/{GROUP}/members", {"device_ids": names})
        return names

    async def accounts(self, number: int) -> list[Account]:
        """New devices: registered, members of the group, known to the broker."""
        names = await self.registered(number)
        accounts = [Account(self.tenant, name, secrets.token_urlsafe(12), DEVICE_TYPE, OLD) for name in names]
        passwords = {user_name(self.tenant, a.device_id): a.password for a in accounts}
        await asyncio.to_thread(broker_accounts.add, self.stack.folder, passwords)
        return accounts

    @asynccontextmanager
    async def fleet(
        self, number: int, behaviour: Behaviour | None = None, *, manual: bool = False
    ) -> AsyncIterator[Fleet]:
        """So many simulated devices of one nature, connected. `manual`: they say only what the test has them say."""
        broker = Broker(self.stack["MQTT_HOST"], int(self.stack["MQTT_PORT"]))
        accounts = await self.accounts(number)
        async with Fleet(accounts, broker, behaviour or quick(), manual=manual, keep_history=True) as fleet:
            await fleet.ready()
            self.fleets.append(fleet)
            yield fleet

    async def campaign(self, firmware_id: int, *, rate: int, **settings: object) -> Campaign:
        """A campaign over all devices so far, CREATED; `rate` in devices per minute. It is not stopped by failures."""
        wanted = {
            "name": "a test's",
            "firmware_version_id": firmware_id,
            "target_group_id": GROUP,
            "rollout_rate": rate,
            "abort_threshold": 1,
            "attempt_timeout_seconds": 10,
        }
        made = await self.post("/customer/ota/campaigns", wanted | settings)
        campaign = Campaign(int(made["id"]), self.http, self.watch, [rate], int(made["total_devices"]))
        self.campaigns.append(campaign)
        return campaign

    async def started(self, *, rate: int, version: str = NEW, **settings: object) -> Campaign:
        """Firmware and a campaign for it that runs."""
        campaign = await self.campaign(await self.firmware(version), rate=rate, **settings)
        await campaign.start()
        return campaign


@asynccontextmanager
async def opened(stack: Stack) -> AsyncIterator[Site]:
    """A new tenant with an empty group."""
    tenant = next(_tenants)
    headers = {"Authorization": f"Bearer {stack.token(tenant)}"}
    async with (
        httpx.AsyncClient(base_url=stack["GATEWAY_URL"], headers=headers, timeout=10, trust_env=False) as http,
        asyncpg.create_pool(stack["POSTGRES_DSN"], min_size=0, max_size=2) as database,
    ):
        site = Site(stack, tenant, http, database)
        await site.post("/customer/device-groups", {"group_id": GROUP, "name": "All devices"})
        yield site
