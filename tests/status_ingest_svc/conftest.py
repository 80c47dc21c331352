"""A database of the module's own, and the service against the real parts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.real_parts import Broker, Database
from tests.status_ingest_svc.service import Devices, Service, devices
from tests.status_ingest_svc.world import World, world


@pytest.fixture
def service(postgres: Database, kafka: str, mosquitto: Broker, parts_dir: Path) -> Service:
    return Service(postgres, kafka, mosquitto, parts_dir / "logs")


@pytest.fixture(scope="module")
async def seen(postgres: Database) -> AsyncIterator[World]:
    async with world(postgres.dsn) as opened:
        yield opened


@pytest.fixture
async def fleet(mosquitto: Broker) -> AsyncIterator[Devices]:
    async with devices(mosquitto) as opened:
        yield opened
