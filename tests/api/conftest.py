"""One world for the tests of a module."""

from collections.abc import AsyncIterator

import pytest

from tests.api.world import World, world
from tests.real_parts import Database, Topics


@pytest.fixture(scope="module", name="world")
async def _world(postgres: Database, topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(postgres, topics, tmp_path_factory.mktemp("auth")) as made:
        yield made
