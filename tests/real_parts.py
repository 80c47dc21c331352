"""PostgreSQL, Kafka and Mosquitto as tests use them: real processes, with what a test may do to them."""

import secrets
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from local_stack import broker_accounts, child
from local_stack.child import Child, Part
from local_stack.kafka import Kafka
from local_stack.mosquitto import ADMIN, Mosquitto
from local_stack.ports import HOST
from local_stack.postgres import SUPERUSER, Postgres
from pulse.contracts.kafka import TOPICS
from pulse.runtime.kafka_cluster import Cluster
from pulse_setup.job import set_up_database
from pulse_setup.settings import SetupSettings
from pulse_setup.topics import make_topics

ROLES = ("catalog_svc", "campaign_svc", "campaign_loops", "status_ingest_svc")
TEMPLATE = "migrated"
CAMPAIGNS_EACH = 100_000
_numbers = count(1)


class RunningPart:
    """A part that a test may kill and start again on the same port and data."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part = part
        self.log = log
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.part.name} is not running"
        return self._child.pid

    async def start(self) -> None:
        """Starts the part; returns when it is ready."""
        self._child = await child.start(self.part, self.log)
        await self._child.until_ready()

    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        if self._child is not None:
            await self._child.kill()

    async def stop(self) -> None:
        """The part's own clean stop."""
        if self._child is not None:
            await self._child.stop()


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database of its own."""

    name: str
    cluster: Postgres
    passwords: dict[str, str]

    @property
    def dsn(self) -> str:
        """For the superuser, who sees the rows of all tenants."""
        return self.dsn_of(SUPERUSER)

    def dsn_of(self, role: str) -> str:
        """For one of the services' roles."""
        return self.cluster.dsn_of(role, quote(self.passwords[role]), self.name)


class Databases:
    """The cluster of a test run; `fresh` gives databases that nobody else uses."""

    def __init__(self, cluster: Postgres, process: RunningPart, password: str) -> None:
        self.cluster = cluster
        self.process = process
        self.passwords = {role: secrets.token_urlsafe(16) for role in ROLES} | {SUPERUSER: password}

    async def migrate_template(self) -> None:
        """Applies the migrations once; every fresh database is a copy."""
        await self._as_superuser(f"CREATE DATABASE {TEMPLATE}")
        settings = SetupSettings(
            postgres_dsn=self.cluster.dsn_of(SUPERUSER, self.passwords[SUPERUSER], TEMPLATE),
            kafka_bootstrap="nowhere:9092",
            catalog_db_password=self.passwords["catalog_svc"],
            campaign_db_password=self.passwords["campaign_svc"],
            campaign_loops_db_password=self.passwords["campaign_loops"],
            ingest_db_password=self.passwords["status_ingest_svc"],
        )
        await set_up_database(settings, print)

    async def fresh(self) -> Database:
        """Its campaigns have ids of their own, since all databases of a run share one Kafka."""
        number = next(_numbers)
        database = Database(f"test_{number}", self.cluster, self.passwords)
        await self._as_superuser(f"CREATE DATABASE {database.name} TEMPLATE {TEMPLATE}")
        first_id = number * CAMPAIGNS_EACH
        await self._as_superuser(f"ALTER TABLE ota_campaigns ALTER COLUMN id RESTART WITH {first_id}", database.dsn)
        return database

    async def empty(self) -> Database:
        """A database without any migration."""
        database = Database(f"test_{next(_numbers)}", self.cluster, self.passwords)
        await self._as_superuser(f"CREATE DATABASE {database.name} TEMPLATE template0")
        return database

    async def copy(self, database: Database) -> Database:
        """Another one with the same in it; nobody may be connected to the first meanwhile."""
        copied = Database(f"test_{next(_numbers)}", self.cluster, self.passwords)
        await self._as_superuser(f"CREATE DATABASE {copied.name} TEMPLATE {database.name}")
        return copied

    async def drop(self, database: Database) -> None:
        """Ends what is still connected to it."""
        await self._as_superuser(f"DROP DATABASE {database.name} WITH (FORCE)")

    async def _as_superuser(self, statement: str, dsn: str | None = None) -> None:
        connection = await asyncpg.connect(dsn or self.cluster.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class Topics:
    """The Kafka of a test run; its five topics can be made anew."""

    def __init__(self, kafka: Kafka, process: RunningPart) -> None:
        self.kafka = kafka
        self.process = process
        self.bootstrap = kafka.bootstrap

    async def make(self) -> None:
        await make_topics(Cluster(self.bootstrap), {topic: topic.partitions for topic in TOPICS}, 1, print)

    async def delete(self, *names: str) -> None:
        """Returns when the topics are gone."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics(list(names))
            while set(names) & set(await admin.list_topics()):
                continue
        finally:
            await admin.close()

    async def clear(self) -> None:
        """All five topics, empty."""
        await self.delete(*(topic.name for topic in TOPICS))
        await self.make()


class Broker:
    """The Mosquitto of a test run."""

    host = HOST
    admin_user = ADMIN

    def __init__(self, mosquitto: Mosquitto, process: RunningPart) -> None:
        self.mosquitto = mosquitto
        self.process = process
        self.port = mosquitto.port
        self.admin_password = mosquitto.admin_password

    @property
    def pid(self) -> int:
        return self.process.pid

    async def start(self) -> None:
        await self.process.start()

    async def kill(self) -> None:
        await self.process.kill()

    async def stop(self) -> None:
        await self.process.stop()

    def password_file(self, user: str) -> Path:
        """The file with the password of `svc-dispatcher`, `svc-ingest` or `admin`."""
        return self.mosquitto.password_file(user)

    def password(self, user: str) -> str:
        return self.password_file(user).read_text(encoding="utf-8")

    def add_accounts(self, accounts: dict[str, str]) -> None:
        """Users with their passwords; accepted when this returns."""
        broker_accounts.add(self.mosquitto.run_dir, accounts)
