"""A rig per test; the test starts its own dispatchers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dispatcher_svc.rig import Rig, rig
from tests.real_parts import Broker, Topics


@pytest.fixture
async def scene(topics: Topics, mosquitto: Broker, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(topics, mosquitto, tmp_path) as made:
        yield made
