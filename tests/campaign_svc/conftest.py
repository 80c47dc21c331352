"""What tests of the loops share: the database as its superuser sees it, and the pool of the loops' own role."""

from collections.abc import AsyncIterator

import pytest

from pulse.runtime import db
from tests.campaign_svc.rows import Fleet
from tests.real_parts import Database


@pytest.fixture(scope="module")
async def loops(postgres: Database) -> AsyncIterator[db.Pool]:
    """Logged in as `campaign_loops`: what it may not do, no test of the engine can do."""
    async with db.pool(postgres.dsn_of("campaign_loops"), size=12) as pool:
        yield pool


@pytest.fixture(scope="module")
async def everything(postgres: Database) -> AsyncIterator[db.Pool]:
    async with db.pool(postgres.dsn, size=4) as pool:
        yield pool


@pytest.fixture
async def fleet(everything: db.Pool) -> Fleet:
    """No campaigns, rows or members yet; one firmware version."""
    made = Fleet(everything)
    await made.clear()
    return made
