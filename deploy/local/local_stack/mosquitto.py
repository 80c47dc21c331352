"""Mosquitto: its configuration, its access rules and the accounts of the services."""

import asyncio
import getpass
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from local_stack import broker_accounts
from local_stack.child import Part
from local_stack.errors import StackError
from local_stack.files import secret, write_atomically
from local_stack.layout import DEPLOY
from local_stack.mqtt_probe import connect_code
from local_stack.packages import Say, install
from local_stack.ports import HOST

ADMIN = "admin"
OBSERVER = "observer"
PLUGIN = "mosquitto_dynamic_security.so"
PLUGIN_FOLDERS = ("/usr/lib", "/usr/local/lib", "/opt/homebrew/opt/mosquitto/lib", "/usr/local/opt/mosquitto/lib")
SERVICE_USERS = ("svc-dispatcher", "svc-ingest")


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """One broker: its files in `run_dir`/mosquitto, the passwords of its own users in `secrets_dir`."""

    run_dir: Path
    port: int
    secrets_dir: Path

    @property
    def folder(self) -> Path:
        return self.run_dir / "mosquitto"

    def password_file(self, user: str) -> Path:
        """Where the password of `admin`, `observer` or a service's user is kept."""
        return self.secrets_dir / f"mqtt-{user}"

    @property
    def admin_password(self) -> str:
        return secret(self.password_file(ADMIN))

    @property
    def observer_password(self) -> str:
        return secret(self.password_file(OBSERVER))

    async def prepare(self, say: Say) -> Part:
        """Installs the broker if it is missing, writes its configuration and the accounts of admin and services."""
        program = await find_program("mosquitto", "mosquitto", say)
        return Part("mosquitto", (program, "-c", str(self.write_files(find_plugin()))), self.answers)

    def write_files(self, plugin: Path | None) -> Path:
        """The configuration, whose path is returned, the access rules, and the accounts of admin and services.

        With the dynamic-security `plugin` there is an account for observers, too.
        """
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        (self.folder / "mosquitto.pid").unlink(missing_ok=True)
        write_atomically(self.folder / "acl", (DEPLOY / "mosquitto" / "acl").read_text(encoding="utf-8"))
        write_atomically(self._observers, (DEPLOY / "mosquitto" / "observers.json").read_text(encoding="utf-8"))
        users = (ADMIN, *SERVICE_USERS, *([OBSERVER] if plugin else []))
        accounts = {user: secret(self.password_file(user)) for user in users}
        broker_accounts.write(self.folder / "passwords", accounts)
        config = self.folder / "mosquitto.conf"
        write_atomically(config, self._config(plugin))
        return config

    @property
    def _observers(self) -> Path:
        return self.folder / "observers.json"

    def _config(self, plugin: Path | None) -> str:
        watching = {"plugin": plugin, "plugin_opt_config_file": self._observers} if plugin else {}
        own = {
            "listener": f"{self.port} {HOST}",
            "user": getpass.getuser(),
            "pid_file": self.folder / "mosquitto.pid",
            "password_file": self.folder / "passwords",
            "acl_file": self.folder / "acl",
            "persistence_location": f"{self.folder / 'data'}/",
            **watching,
        }
        fleet = (DEPLOY / "mosquitto" / "fleet.conf").read_text(encoding="utf-8")
        return "".join(f"{name} {value}\n" for name, value in own.items()) + "\n" + fleet

    async def answers(self) -> bool:
        """Whether the broker accepts its admin."""
        return await asyncio.to_thread(connect_code, self.port, ADMIN, self.admin_password) == 0


def find_plugin() -> Path | None:
    """What looks at who subscribes, as an ACL file does not; a broker without it has no observer's account."""
    places = (Path(folder) for folder in PLUGIN_FOLDERS)
    return next((found for place in places for found in (*place.glob(PLUGIN), *place.glob(f"*/{PLUGIN}"))), None)


async def find_program(name: str, package: str, say: Say) -> str:
    """The path of a program, installed from its Debian package first if we may. Raises StackError."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        await install(package, f"The program `{name}`", say)
        found = shutil.which(name, path=path)
    if found is None:
        raise StackError(f"{name} is not in {path}")
    return found
