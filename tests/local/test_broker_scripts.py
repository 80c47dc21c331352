"""The scripts of the broker's container, with a folder in place of its file system and a real Mosquitto."""

import asyncio
import getpass
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from local_stack import password_file
from local_stack.layout import DEPLOY
from local_stack.mqtt_probe import connect_code
from local_stack.ports import HOST, free_ports

SERVICES = {"svc-dispatcher": "dispatcher", "svc-ingest": "ingest", "admin": "admin", "observer": "observer"}
ACCEPTED, REFUSED = (0,), (134, 135)
SCRIPTS = DEPLOY / "mosquitto"


class Container:
    """What the scripts know as `/`, in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.passwords = root / "mosquitto" / "data" / "passwords"
        [self.port] = free_ports(1)
        for folder in ("mosquitto/data", "mosquitto/config", "run/secrets", "tmp"):
            (root / folder).mkdir(parents=True)
        for name in SERVICES.values():
            (root / "run" / "secrets" / f"mqtt_{name}_password").write_text(name)
        for name in ("acl", "observers.json"):
            (root / "mosquitto" / "config" / name).write_text((SCRIPTS / name).read_text())
        own = {"listener": f"{self.port} {HOST}", "user": getpass.getuser(), "password_file": self.passwords}
        lines = [f"{name} {value}\n" for name, value in own.items()]
        (root / "mosquitto" / "config" / "mosquitto.conf").write_text("".join(lines) + "allow_anonymous false\n")

    def script(self, name: str, pid: int = 1) -> str:
        text = (SCRIPTS / name).read_text(encoding="utf-8").replace("kill -HUP 1", f"kill -HUP {pid}")
        return re.sub("/(mosquitto|run/secrets|tmp)/", rf"{self.root}/\1/", text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """The pid of the broker within this block."""
        process = await asyncio.create_subprocess_exec("sh", "-c", self.script("start.sh"), start_new_session=True)
        try:
            await self.until("admin", "admin", ACCEPTED)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def add(self, pid: int, lines: str) -> None:
        command = ["sh", "-c", self.script("add-accounts.sh", pid)]
        subprocess.run(command, input=lines, text=True, check=True, timeout=30)

    async def until(self, user: str, password: str, codes: tuple[int, ...]) -> None:
        async with asyncio.timeout(10):
            while await asyncio.to_thread(connect_code, self.port, user, password) not in codes:
                await asyncio.sleep(0.1)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


async def test_the_broker_starts_with_its_services_accounts_and_takes_more(container: Container) -> None:
    async with container.running() as pid:
        for user, password in SERVICES.items():
            await container.until(user, password, ACCEPTED)
        container.add(pid, "acme/device/d1:first\nacme/device/d2:second\n")
        container.add(pid, "acme/device/d2:third\n")
        for user, password in (("acme/device/d1", "first"), ("acme/device/d2", "third"), ("svc-ingest", "ingest")):
            await container.until(user, password, ACCEPTED)
        await container.until("acme/device/d2", "second", REFUSED)


async def test_an_account_that_another_container_takes_out_is_gone_within_seconds(container: Container) -> None:
    async with container.running() as pid:
        container.add(pid, "acme/device/d1:first\nacme/device/d2:second\n")
        await container.until("acme/device/d1", "first", ACCEPTED)
        line = password_file.read(container.passwords)["acme/device/d1"]
        assert password_file.remove(container.passwords, {"acme/device/d1": line}) == {"acme/device/d1"}
        await container.until("acme/device/d1", "first", REFUSED)
        await container.until("acme/device/d2", "second", ACCEPTED)


async def test_accounts_that_are_added_and_taken_out_at_once_are_neither_lost_nor_back(container: Container) -> None:
    async with container.running() as pid:
        container.add(pid, "".join(f"acme/device/old{n}:x\n" for n in range(20)))

        def take_out() -> None:
            for n in range(20):
                user = f"acme/device/old{n}"
                password_file.remove(container.passwords, {user: password_file.read(container.passwords)[user]})

        def add() -> None:
            for n in range(10):
                container.add(pid, f"acme/device/new{n}:x\n")

        await asyncio.gather(asyncio.to_thread(take_out), asyncio.to_thread(add))
        devices = [user for user in password_file.read(container.passwords) if "/" in user]
        assert sorted(devices) == [f"acme/device/new{n}" for n in range(10)]


async def test_after_a_restart_the_accounts_of_devices_are_still_there(container: Container) -> None:
    async with container.running() as pid:
        container.add(pid, "acme/device/d1:first\n")
    async with container.running():
        await container.until("acme/device/d1", "first", ACCEPTED)
