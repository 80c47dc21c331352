"""The real parts, one of each per test run, started when the first test asks for them.

Processes, or with `PULSE_TEST_PARTS=containers` containers:

`postgres`   a migrated database of the test module's own (`.dsn`, `.dsn_of(role)`); `databases.fresh()` gives more
`kafka`      the bootstrap address, with all topics; `topics.clear()` empties them
`mosquitto`  the broker (`.host`, `.port`, `.admin_user`, `.admin_password`, `.add_accounts()`, `.kill()`, `.start()`)
"""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from local_stack.files import secret
from local_stack.kafka import Kafka
from local_stack.mosquitto import Mosquitto
from local_stack.ports import free_ports
from local_stack.postgres import Postgres
from tests.real_parts import Broker, Database, Databases, RunningPart, Topics

IN_CONTAINERS = os.environ.get("PULSE_TEST_PARTS") == "containers"
if IN_CONTAINERS:
    from tests import container_parts

HERE = Path(__file__).parent
LONG = ("e2e", "local")
"""Folders that begin first, so that no worker is left alone with one of them at the end."""


def pytest_configure() -> None:
    """A shell that starts the run in the background has Ctrl-C ignored, by all that come of it: tests need it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long folders come first. A worker gets files in this order, so none meets what a later one leaves behind."""
    items.sort(key=lambda item: LONG.index(_folder(item)) if _folder(item) in LONG else len(LONG))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0]


@pytest.fixture(scope="session")
def parts_dir() -> Iterator[Path]:
    """Where the parts keep their state. Short, and open to PostgreSQL's user when the tests run as root."""
    folder = Path(mkdtemp(prefix="pulse-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


async def _postgres(cluster: Postgres, log: Path) -> RunningPart:
    return container_parts.postgres(cluster, log) if IN_CONTAINERS else RunningPart(await cluster.prepare(), log)


async def _kafka(server: Kafka, log: Path) -> RunningPart:
    return container_parts.kafka(server, log) if IN_CONTAINERS else RunningPart(await server.prepare(print), log)


async def _mosquitto(server: Mosquitto, log: Path) -> RunningPart:
    return container_parts.mosquitto(server, log) if IN_CONTAINERS else RunningPart(await server.prepare(print), log)


@pytest.fixture(scope="session")
async def databases(parts_dir: Path) -> AsyncIterator[Databases]:
    [port] = free_ports(1)
    password_file = parts_dir / "secrets" / "postgres"
    cluster = Postgres(parts_dir / "postgres", port, password_file)
    process = await _postgres(cluster, parts_dir / "logs" / "postgres.log")
    try:
        await process.start()
        made = Databases(cluster, process, secret(password_file))
        await made.migrate_template()
        yield made
    finally:
        await process.stop()


@pytest.fixture(scope="module")
async def postgres(databases: Databases) -> AsyncIterator[Database]:
    database = await databases.fresh()
    yield database
    await databases.drop(database)


@pytest.fixture(scope="session")
async def topics(parts_dir: Path) -> AsyncIterator[Topics]:
    port, controller_port = free_ports(2)
    server = Kafka(parts_dir / "kafka", port, controller_port)
    process = await _kafka(server, parts_dir / "logs" / "kafka.log")
    try:
        await process.start()
        made = Topics(server, process)
        await made.make()
        yield made
    finally:
        await process.stop()


@pytest.fixture(scope="session")
def kafka(topics: Topics) -> str:
    return topics.bootstrap


@pytest.fixture(scope="session")
async def mosquitto(parts_dir: Path) -> AsyncIterator[Broker]:
    [port] = free_ports(1)
    server = Mosquitto(parts_dir, port, parts_dir / "secrets")
    broker = Broker(server, await _mosquitto(server, parts_dir / "logs" / "mosquitto.log"))
    try:
        await broker.start()
        yield broker
    finally:
        await broker.stop()
