"""A Mosquitto that speaks TLS, with the certificates of deploy/secrets.sh and, if wanted, one for a device."""

import asyncio
import getpass
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local_stack import broker_accounts, child
from local_stack.child import Part
from local_stack.layout import DEPLOY
from local_stack.mosquitto import find_program
from local_stack.ports import HOST, free_ports, listens


@dataclass(frozen=True, slots=True)
class TlsBroker:
    """Where it is, and the file with its authority."""

    folder: Path
    port: int

    @property
    def authority(self) -> Path:
        return self.folder / "secrets" / "mqtt_ca.crt"

    async def certificate_for(self, user: str) -> tuple[Path, Path]:
        """A certificate with that common name, signed by the broker's authority, and its key."""
        made, key, asked = (self.folder / f"device.{end}" for end in ("crt", "key", "csr"))
        subject = "/CN=" + user.replace("/", "\\/")
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject)
        await _run("openssl", "req", *new, "-keyout", str(key), "-out", str(asked))
        signer = ("-CA", str(self.authority), "-CAkey", str(self.authority.with_suffix(".key")), "-CAcreateserial")
        await _run("openssl", "x509", "-req", "-in", str(asked), *signer, "-days", "1", "-out", str(made))
        return made, key


@asynccontextmanager
async def tls_broker(folder: Path, accounts: dict[str, str], *, certificates: bool) -> AsyncIterator[TlsBroker]:
    """With `certificates` it wants one of every client, whose common name is its user; else a password."""
    shutil.copy(DEPLOY / "secrets.sh", folder)
    await _run(str(folder / "secrets.sh"))
    broker = TlsBroker(folder, free_ports(1)[0])
    broker_accounts.write(folder / "passwords", accounts)
    secrets = folder / "secrets"
    lines = [
        f"listener {broker.port} {HOST}",
        f"user {getpass.getuser()}",
        f"certfile {secrets / 'mqtt.crt'}",
        f"keyfile {secrets / 'mqtt.key'}",
        "tls_version tlsv1.2",
        f"acl_file {DEPLOY / 'mosquitto' / 'acl'}",
        f"persistence_location {folder}/",
        f"password_file {folder / 'passwords'}",
    ]
    if certificates:
        lines += [f"cafile {broker.authority}", "require_certificate true", "use_identity_as_username true"]
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n" + (DEPLOY / "mosquitto" / "fleet.conf").read_text(encoding="utf-8"))

    async def answers() -> bool:
        return listens(broker.port)

    program = await find_program("mosquitto", "mosquitto", print)
    running = await child.start(Part("mosquitto-tls", (program, "-c", str(config)), answers), folder / "broker.log")
    try:
        await running.until_ready()
        yield broker
    finally:
        await running.stop()


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
