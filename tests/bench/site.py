"""The real parts that a bench works with, and the services on them: started for this run, gone at its end."""

import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

from local_stack import child
from local_stack.child import Child, Part
from local_stack.files import secret
from local_stack.http_probe import answers
from local_stack.kafka import Kafka
from local_stack.mosquitto import Mosquitto
from local_stack.ports import HOST, free_ports
from local_stack.postgres import Postgres
from tests.real_parts import Broker, Database, Databases, RunningPart, Topics

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Running:
    """A process of a service."""

    child: Child
    port: int
    """Of its HTTP."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.pid


@dataclass(frozen=True, slots=True)
class Site:
    """PostgreSQL, Kafka and Mosquitto of one bench run; all state is below `folder`."""

    folder: Path
    databases: Databases
    topics: Topics
    broker: Broker

    @property
    def pids(self) -> dict[str, int]:
        return {
            "PostgreSQL": self.databases.process.pid,
            "Kafka": self.topics.process.pid,
            "Mosquitto": self.broker.pid,
        }

    @property
    def auth_key_file(self) -> Path:
        """The key of tokens, made when it is first asked for."""
        file = self.folder / "secrets" / "auth-key"
        secret(file)
        return file

    @asynccontextmanager
    async def fresh_database(self) -> AsyncIterator[Database]:
        database = await self.databases.fresh()
        try:
            yield database
        finally:
            await self.databases.drop(database)

    @asynccontextmanager
    async def dispatcher(self, **settings: str) -> AsyncIterator[Running]:
        environment = {"KAFKA_BOOTSTRAP": self.topics.bootstrap, **self._mqtt("svc-dispatcher")}
        async with self._running("dispatcher-svc", environment | settings) as process:
            yield process

    @asynccontextmanager
    async def ingest(self, database: Database, **settings: str) -> AsyncIterator[Running]:
        environment = {
            "POSTGRES_DSN": database.dsn_of("status_ingest_svc"),
            "KAFKA_BOOTSTRAP": self.topics.bootstrap,
            **self._mqtt("svc-ingest"),
        }
        async with self._running("status-ingest-svc", environment | settings) as process:
            yield process

    @asynccontextmanager
    async def catalog(self, database: Database, **settings: str) -> AsyncIterator[Running]:
        environment = {"POSTGRES_DSN": database.dsn_of("catalog_svc"), "AUTH_KEY_FILE": str(self.auth_key_file)}
        async with self._running("catalog-svc", environment | settings) as process:
            yield process

    @asynccontextmanager
    async def campaigns(self, database: Database, **settings: str) -> AsyncIterator[Running]:
        environment = {
            "POSTGRES_DSN": database.dsn_of("campaign_svc"),
            "LOOPS_POSTGRES_DSN": database.dsn_of("campaign_loops"),
            "KAFKA_BOOTSTRAP": self.topics.bootstrap,
            "AUTH_KEY_FILE": str(self.auth_key_file),
        }
        async with self._running("campaign-svc", environment | settings) as process:
            yield process

    def _mqtt(self, user: str) -> dict[str, str]:
        return {
            "MQTT_HOST": self.broker.host,
            "MQTT_PORT": str(self.broker.port),
            "MQTT_USER": user,
            "MQTT_PASSWORD_FILE": str(self.broker.password_file(user)),
        }

    @asynccontextmanager
    async def _running(self, service: str, environment: Mapping[str, str]) -> AsyncIterator[Running]:
        [port] = [int(environment["HTTP_PORT"])] if "HTTP_PORT" in environment else free_ports(1)
        ready = f"http://{HOST}:{port}/readyz"
        where = {"HTTP_HOST": HOST, "HTTP_PORT": str(port)}
        command = (sys.executable, "-m", service.replace("-", "_"))
        part = Part(service, command, lambda: answers(ready), {**where, **environment})
        process = await child.start(part, self.folder / "logs" / f"{service}-{next(_numbers)}.log")
        try:
            await process.until_ready()
            yield Running(process, port)
        finally:
            await process.stop()


@asynccontextmanager
async def opened() -> AsyncIterator[Site]:
    """Starts the parts in a folder of their own; however this ends, nothing of them stays."""
    folder = Path(mkdtemp(prefix="pulse-bench-"))
    folder.chmod(0o711)
    try:
        async with AsyncExitStack() as ending:
            yield await _start(folder, ending)
    finally:
        shutil.rmtree(folder)


async def _start(folder: Path, ending: AsyncExitStack) -> Site:
    async def started(process: RunningPart) -> None:
        ending.push_async_callback(process.stop)
        await process.start()

    postgres_port, kafka_port, controller_port, mqtt_port = free_ports(4)
    logs, password_file = folder / "logs", folder / "secrets" / "postgres"
    cluster = Postgres(folder / "postgres", postgres_port, password_file)
    postgres = RunningPart(await cluster.prepare(), logs / "postgres.log")
    await started(postgres)
    databases = Databases(cluster, postgres, secret(password_file))
    await databases.migrate_template()
    server = Kafka(folder / "kafka", kafka_port, controller_port)
    kafka = RunningPart(await server.prepare(print), logs / "kafka.log")
    await started(kafka)
    topics = Topics(server, kafka)
    await topics.make()
    mosquitto = Mosquitto(folder, mqtt_port, folder / "secrets")
    broker = Broker(mosquitto, RunningPart(await mosquitto.prepare(print), logs / "mosquitto.log"))
    await started(broker.process)
    return Site(folder, databases, topics, broker)
