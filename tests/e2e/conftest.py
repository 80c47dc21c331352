"""`stack`: the whole stack, one for all tests here. `site`: a tenant of the test's own, told of when the test fails."""

import asyncio
import json
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest

from pulse.contracts.status import FINISHED
from tests.e2e import arrange
from tests.e2e import stack as stacks
from tests.e2e.arrange import Site
from tests.e2e.stack import Stack
from tests.e2e.watch import CAMPAIGNS, ROWS

MOST_ROWS = 20


@pytest.fixture(scope="package")
async def stack() -> AsyncIterator[Stack]:
    async with stacks.running() as running:
        yield running


@pytest.fixture
async def site(stack: Stack) -> AsyncIterator[Site]:
    async with arrange.opened(stack) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test tells what its tenant's campaigns and devices are like, and what the services said last."""
    report = yield
    made = getattr(item, "funcargs", {}).get("site")
    if report.when == "call" and report.failed and isinstance(made, Site):
        with ThreadPoolExecutor(1) as thread:
            rows = thread.submit(lambda: asyncio.run(_rows(made))).result()
        report.sections += [("rows", rows), ("services", made.stack.last_words())]
    return report


async def _rows(site: Site) -> str:
    try:
        connection = await asyncpg.connect(site.stack["POSTGRES_DSN"], timeout=5)
    except OSError as error:
        return f"the database does not answer: {error}"
    try:
        campaigns = await connection.fetch(CAMPAIGNS, [site.tenant])
        rows = await connection.fetch(ROWS, [site.tenant])
    finally:
        await connection.close()
    open_rows = [row for row in rows if row["status"] not in FINISHED]
    shown = [*campaigns, *open_rows[:MOST_ROWS]]
    lines = [json.dumps({k: v for k, v in row.items() if v is not None}, default=str) for row in shown]
    return "\n".join([*lines, f"{len(open_rows)} of {len(rows)} devices are not finished"])
