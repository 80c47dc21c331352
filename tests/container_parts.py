"""PostgreSQL, Kafka and Mosquitto from their images, by testcontainers, for tests where `PULSE_TEST_PARTS=containers`.

They run on this machine's own network and among its process ids: addresses, files and signals are those of processes,
and no test can tell the difference. Needs Linux, root and a Docker engine.
"""

import asyncio
import getpass
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from local_stack.child import Part
from local_stack.errors import PartFailed
from local_stack.files import secret
from local_stack.kafka import CLUSTER_ID, Kafka
from local_stack.mosquitto import PLUGIN, Mosquitto
from local_stack.ports import HOST
from local_stack.postgres import DATABASE, SETTINGS, SUPERUSER, Postgres
from tests.real_parts import RunningPart

IMAGES = {"postgres": "postgres:18", "kafka": "apache/kafka:4.3.1", "mosquitto": "eclipse-mosquitto:2"}
PLUGIN_OF_IMAGE = Path("/plugin-of-image")
testcontainers_config.ryuk_disabled = True  # the fixtures remove what they have started


class ContainerPart(RunningPart):
    """One container; killed or stopped and started again it has its data and address as before."""

    def __init__(self, part: Part, log: Path, **options: Any) -> None:
        super().__init__(part, log)
        container = DockerContainer(IMAGES[part.name], **options)
        if part.command:
            container.with_command(list(part.command))
        self._container = container.with_envs(**part.environment).with_kwargs(network_mode="host", pid_mode="host")
        self._made = False

    @property
    def pid(self) -> int:
        return int(self._state()["Pid"])

    async def start(self) -> None:
        if self._made:
            await asyncio.to_thread(self._container.get_wrapped_container().start)
        else:
            await asyncio.to_thread(self._container.start)
            self._made = True
        async with asyncio.timeout(self.part.ready_within):
            while not await self.part.ready():
                if not self._state()["Running"]:
                    raise PartFailed(f"{self.part.name} has ended: {self._container.get_logs()}")
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        if self._made and self._state()["Running"]:
            os.kill(self.pid, signal.SIGKILL)
            await asyncio.to_thread(self._container.get_wrapped_container().wait)

    async def stop(self) -> None:
        """The end: its output is in the log, and it is gone with its data."""
        if self._made:
            await asyncio.to_thread(self._container.get_wrapped_container().stop)
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_bytes(b"".join(self._container.get_logs()))
            await asyncio.to_thread(self._container.stop, delete_volume=True)
            self._made = False

    def _state(self) -> Mapping[str, Any]:
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        state: Mapping[str, Any] = wrapped.attrs["State"]
        return state


def postgres(cluster: Postgres, log: Path) -> RunningPart:
    """The cluster of that port and password."""
    settings = {name: value.strip("'") for name, value in SETTINGS.items()} | {"listen_addresses": HOST}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    login = {
        "POSTGRES_USER": SUPERUSER,
        "POSTGRES_DB": DATABASE,
        "POSTGRES_PASSWORD": secret(cluster.password_file),
        "PGPORT": str(cluster.port),
    }
    command = ("postgres", "-p", str(cluster.port), *words)
    return ContainerPart(Part("postgres", command, cluster.answers, login), log)


def kafka(server: Kafka, log: Path) -> RunningPart:
    """One node on that port, with the settings that the local stack's has."""
    settings = dict(line.split("=", 1) for line in server.properties().splitlines())
    settings["log.dirs"] = "/var/lib/kafka/data"
    variables = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in settings.items()}
    heap = {"KAFKA_HEAP_OPTS": "-Xmx512m", "CLUSTER_ID": CLUSTER_ID}
    return ContainerPart(Part("kafka", (), server.answers, variables | heap), log)


def mosquitto(server: Mosquitto, log: Path) -> RunningPart:
    """The broker of those files, which it shares with this machine; the plugin is the image's own."""
    config = server.write_files(PLUGIN_OF_IMAGE)
    places = f"/usr/lib/{PLUGIN} /usr/lib/*/{PLUGIN}"
    found = f"$(ls {places} 2>/dev/null | head -n 1)"
    start = f'sed -i "s#{PLUGIN_OF_IMAGE}#{found}#" {config} && exec mosquitto -c {config}'
    part = Part("mosquitto", ("sh", "-c", start), server.answers)
    return ContainerPart(part, log, volumes=[(str(server.run_dir), str(server.run_dir), "rw")], user=getpass.getuser())
