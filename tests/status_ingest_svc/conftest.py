"""A database of the module's own, and the service against the real parts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.real_parts import Broker, Database, Topics
from tests.status_ingest_svc.service import Devices, Service, devices, end_sessions
from tests.status_ingest_svc.world import World, world


@pytest.fixture(scope="module")
async def own_kafka(topics: Topics) -> str:
    """The bootstrap address, with empty topics: other tests leave results by the ten thousand, which would count."""
    await topics.clear()
    return topics.bootstrap


@pytest.fixture
async def service(postgres: Database, own_kafka: str, mosquitto: Broker, parts_dir: Path) -> AsyncIterator[Service]:
    """Without a session or a member of an earlier test; replicas that a test leaves running are killed."""
    await end_sessions(mosquitto)
    async with world(postgres.dsn) as before:
        await before.sql.execute("DELETE FROM ingest_members")
    made = Service(postgres, own_kafka, mosquitto, parts_dir / "logs", [])
    yield made
    for replica in made.replicas:
        await replica.child.kill()


@pytest.fixture(scope="module")
async def seen(postgres: Database) -> AsyncIterator[World]:
    async with world(postgres.dsn) as opened:
        yield opened


@pytest.fixture
async def fleet(mosquitto: Broker) -> AsyncIterator[Devices]:
    async with devices(mosquitto) as opened:
        yield opened
