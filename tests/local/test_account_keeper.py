"""A broker's account ends with its device, as a real database and a real Mosquitto say; no other account does."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from subprocess import Popen

import aiomqtt
import asyncpg
import pytest

from local_stack import account_keeper, password_file
from local_stack.account_keeper import Known, judge, look
from local_stack.mqtt_probe import connect_code
from pulse.contracts.mqtt import owner, report_topic, user_name
from tests.real_parts import Broker, Database

ACCEPTED = 0
REFUSED = (134, 135)
_numbers = count(1)
KNOWN = {"u": Known("line", 1)}


@pytest.mark.parametrize(
    ("line", "device", "known", "ends", "after"),
    [
        ("line", 1, KNOWN, False, KNOWN),
        ("line", None, KNOWN, True, {}),
        ("line", 2, KNOWN, True, {}),
        ("other", 2, KNOWN, False, {"u": Known("other", 2)}),
        ("other", 1, KNOWN, False, {"u": Known("other", 1)}),
        ("other", None, KNOWN, False, {}),
        ("line", 1, {}, False, KNOWN),
        ("line", None, {}, False, {}),
        (None, 1, KNOWN, False, {}),
        (None, None, KNOWN, False, {}),
    ],
)
def test_an_account_ends_when_the_device_that_it_was_made_for_is_no_more(
    line: str | None, device: int | None, known: dict[str, Known], ends: bool, after: dict[str, Known]
) -> None:
    lines = {"u": line} if line else {}
    devices = {"u": device} if device else {}
    assert judge(lines, devices, known) == ({"u"} if ends else set(), after)


def test_a_user_name_names_a_device_only_in_its_own_form() -> None:
    assert owner(user_name("acme", "d 1")) == ("acme", "d 1")
    for other in ("admin", "svc-ingest", "acme/device/", "/device/d", "acme/devices/d", "a/device/d/e", ""):
        assert owner(other) is None


class Site:
    """Devices in the database, and their accounts at the broker."""

    def __init__(self, superuser: asyncpg.Connection, keeper: asyncpg.Connection, broker: Broker) -> None:
        self.superuser, self.keeper, self.broker = superuser, keeper, broker
        self.file = broker.mosquitto.folder / "passwords"

    async def register(self, device: str) -> None:
        await self.superuser.execute(
            "INSERT INTO devices (tenant_id, device_id, device_type) VALUES ('acme', $1, 'gw2')", device
        )

    async def delete(self, *devices: str) -> None:
        await self.superuser.execute("DELETE FROM devices WHERE device_id = ANY($1::text[])", devices)

    def account(self, device: str, password: str = "first") -> str:
        user = user_name("acme", device)
        self.broker.add_accounts({user: password})
        return user

    async def device(self) -> tuple[str, str]:
        """One that is registered, has an account and was looked at; with its user name."""
        name = f"kept-{next(_numbers)}"
        await self.register(name)
        user = self.account(name)
        assert await self.look() == set()
        return name, user

    async def look(self) -> set[str]:
        return await look(self.keeper, self.file)

    def code(self, user: str, password: str = "first") -> int | None:
        return connect_code(self.broker.port, user, password)

    async def until(self, user: str, codes: tuple[int, ...], password: str = "first") -> None:
        async with asyncio.timeout(10):
            while self.code(user, password) not in codes:
                await asyncio.sleep(0.05)


@pytest.fixture
async def site(postgres: Database, mosquitto: Broker) -> AsyncIterator[Site]:
    superuser = await asyncpg.connect(postgres.dsn)
    keeper = await asyncpg.connect(postgres.dsn_of("campaign_loops"))
    yield Site(superuser, keeper, mosquitto)
    for connection in (superuser, keeper):
        await connection.close()


async def test_with_its_device_an_account_ends_and_who_is_connected_with_it_is_cut_off(site: Site) -> None:
    name, user = await site.device()
    other, other_user = await site.device()
    async with asyncio.timeout(10), connected(site, user) as client, connected(site, other_user) as stays:
        await client.publish(report_topic("acme", name), b"{}", qos=1)
        await site.delete(name)
        assert await site.look() == {user}
        with pytest.raises(aiomqtt.MqttError):
            await anext(client.messages)
        await stays.publish(report_topic("acme", other), b"{}", qos=1, timeout=5)
    assert site.code(user) in REFUSED
    assert site.code(other_user) == ACCEPTED


def connected(site: Site, user: str) -> aiomqtt.Client:
    version = aiomqtt.ProtocolVersion.V5
    return aiomqtt.Client(site.broker.host, site.broker.port, username=user, password="first", protocol=version)


async def test_a_device_made_anew_under_the_same_name_needs_a_new_password(site: Site) -> None:
    name, user = await site.device()
    await site.delete(name)
    await site.register(name)
    assert await site.look() == {user}
    await site.until(user, REFUSED)
    site.account(name, "second")
    assert await site.look() == set()
    assert site.code(user, "second") == ACCEPTED


async def test_a_password_given_to_the_device_made_anew_stays_though_nobody_had_looked(site: Site) -> None:
    name, user = await site.device()
    await site.delete(name)
    await site.register(name)
    site.account(name, "second")
    assert await site.look() == set()
    assert site.code(user, "second") == ACCEPTED
    await site.delete(name)
    assert await site.look() == {user}


async def test_a_password_that_is_given_while_the_old_account_ends_stays(site: Site) -> None:
    name, user = await site.device()
    old = password_file.read(site.file)[user]
    site.account(name, "second")
    assert password_file.remove(site.file, {user: old}) == set()
    assert site.code(user, "second") == ACCEPTED


async def test_services_foreign_users_and_accounts_that_wait_for_their_device_stay(site: Site) -> None:
    waiting = site.account("not-registered-yet")
    site.broker.add_accounts({"a-foreign-user": "first"})
    assert await site.look() == set()
    assert await site.look() == set()
    for user in (waiting, "a-foreign-user"):
        assert site.code(user) == ACCEPTED
    for user in ("admin", "svc-dispatcher", "svc-ingest"):
        assert site.code(user, site.broker.password(user)) == ACCEPTED


async def test_what_a_look_that_was_killed_had_not_told_the_broker_the_next_one_tells_it(site: Site) -> None:
    name, user = await site.device()
    await site.delete(name)
    password_file.remove(site.file, {user: password_file.read(site.file)[user]})  # and then it was killed
    assert site.code(user) == ACCEPTED
    await site.look()
    await site.until(user, REFUSED)


async def test_a_restored_or_an_empty_database_ends_no_account(site: Site, mosquitto: Broker) -> None:
    _, user = await site.device()
    async with site.superuser.transaction():
        await site.superuser.execute("ALTER TABLE devices RENAME TO devices_before")
        await site.superuser.execute("CREATE TABLE devices (LIKE devices_before)")
        await site.superuser.execute("GRANT SELECT ON devices TO campaign_loops")
    assert await site.look() == set()
    async with site.superuser.transaction():
        await site.superuser.execute("DROP TABLE devices")
        await site.superuser.execute("ALTER TABLE devices_before RENAME TO devices")
    assert await site.look() == set()
    assert site.code(user) == ACCEPTED


async def test_a_memory_that_cannot_be_read_ends_no_account(site: Site) -> None:
    name, user = await site.device()
    site.file.with_name("accounts.json").write_text("{torn")
    assert await site.look() == set()
    await site.delete(name)
    assert await site.look() == {user}


@contextmanager
def running(site: Site, dsn: str, folder: Path) -> Iterator[Popen[bytes]]:
    environment = {"POSTGRES_DSN": dsn, "PASSWORDS": str(site.file), "LOOKED": str(folder / "looked")}
    command = [sys.executable, "-m", "local_stack.account_keeper"]
    with Popen(command, env=os.environ | environment) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_killed_at_any_moment_it_ends_every_account_in_the_end_and_no_other(
    site: Site, postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [await site.device() for _ in range(6)]
    _, stays = await site.device()
    moments = Random(7)
    dsn = postgres.dsn_of("campaign_loops")
    for name, _ in gone:
        with running(site, dsn, tmp_path) as process:
            await site.delete(name)
            await asyncio.sleep(moments.uniform(0.3, 1.2))
            process.send_signal(signal.SIGKILL)
    with running(site, dsn, tmp_path):
        for _, user in gone:
            await site.until(user, REFUSED)
    assert site.code(stays) == ACCEPTED


async def test_it_waits_for_a_database_that_is_away(site: Site, postgres: Database, tmp_path: Path) -> None:
    name, user = await site.device()
    with running(site, "postgresql://campaign_loops@127.0.0.1:1/none", tmp_path) as process:
        await asyncio.sleep(account_keeper.LOOK_SECONDS)
        assert process.poll() is None
    assert site.code(user) == ACCEPTED
    await site.delete(name)
    with running(site, postgres.dsn_of("campaign_loops"), tmp_path):
        await site.until(user, REFUSED)
