"""The migrations as `psql < file` runs them: alone, again, in the customer's order, over what older ones left."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from local_stack.child import run
from local_stack.layout import ROOT
from local_stack.postgres import binaries
from pulse_setup.migrations import migrate, read
from pulse_setup.settings import MIGRATIONS
from tests.campaign_svc import recount
from tests.local import catalog, lively
from tests.real_parts import Database, Databases

FILES = sorted(MIGRATIONS.glob("[0-9]*.sql"))
FIRST = Path(__file__).parent / "migrations_as_first_applied"
"""0001 to 0013 as databases have them that were set up before these files were made harmless."""
FIRST_FILES = sorted(FIRST.glob("*.sql"))
CUSTOMERS = ("0002_firmware_versions.sql", "0004_ota_campaigns.sql", "0005_ota_device_status.sql")
TABLES = ("firmware_versions", "ota_campaigns", "ota_device_status")


def name_of(path: Path) -> str:
    return path.name


async def psql(dsn: str, sql: str) -> str:
    """What psql prints when it gets this on standard input; it goes on after an error, as it does for everybody."""
    return await run(str(binaries() / "psql"), "-X", dsn, stdin=sql)


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def taken_up(database: Database) -> None:
    """The set-up job of the present version."""
    async with connected(database) as connection:
        await migrate(connection, MIGRATIONS, print)


@pytest.fixture(scope="module")
async def full(databases: Databases) -> AsyncIterator[Database]:
    """All migrations, and rows in every state."""
    database = await databases.fresh()
    async with connected(database) as connection:
        await lively.fill(connection)
    yield database
    await databases.drop(database)


@pytest.fixture
async def empty(databases: Databases) -> AsyncIterator[Database]:
    database = await databases.empty()
    yield database
    await databases.drop(database)


@pytest.fixture(scope="module")
async def of_before(databases: Databases) -> AsyncIterator[Database]:
    """Set up with 0001 to 0013 as they were first applied, and used since."""
    database = await databases.empty()
    async with connected(database) as connection:
        await migrate(connection, FIRST, print)
        await lively.fill(connection)
    yield database
    await databases.drop(database)


@pytest.fixture
async def older(databases: Databases, of_before: Database) -> AsyncIterator[Database]:
    """A copy of it, for one test."""
    database = await databases.copy(of_before)
    yield database
    await databases.drop(database)


@pytest.fixture(scope="module")
async def fresh_schema(postgres: Database) -> catalog.Facts:
    async with connected(postgres) as connection:
        return await catalog.schema(connection)


@pytest.mark.parametrize("file", FILES, ids=name_of)
async def test_a_file_run_again_alone_on_a_full_database_changes_nothing(full: Database, file: Path) -> None:
    async with connected(full) as connection:
        schema, data = await catalog.schema(connection), await catalog.data(connection)
        assert "ERROR" not in await psql(full.dsn, file.read_text(encoding="utf-8"))
        assert catalog.difference(schema, await catalog.schema(connection)) == []
        assert catalog.difference(data, await catalog.data(connection)) == []


async def test_the_full_database_of_these_tests_has_rows_in_every_state(full: Database) -> None:
    async with connected(full) as connection:
        states = await connection.fetch("SELECT DISTINCT status FROM ota_device_status")
        waits = await connection.fetch("SELECT DISTINCT wait FROM ota_device_status WHERE wait IS NOT NULL")
        zeros = await connection.fetchval("SELECT count(*) FROM ota_campaign_counters WHERE n = 0")
        assert (len(states), len(waits)) == (8, 3)
        assert zeros > 0
        assert await lively.wrong_counters(connection) == []


async def make_tables(database: Database) -> None:
    """The customer's own list: three files, then a look at what is there."""
    for file in CUSTOMERS:
        assert "ERROR" not in await psql(database.dsn, (MIGRATIONS / file).read_text(encoding="utf-8"))
    for table in TABLES:
        assert re.search(rf"public \| {table} +\| table", await psql(database.dsn, f"\\dt {table}"))


def test_the_page_for_containers_has_the_customer_s_three_files() -> None:
    page = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"< \.\./migrations/(\S+)", page)) == CUSTOMERS


async def test_the_customer_s_three_files_make_their_tables_on_an_empty_database(empty: Database) -> None:
    await make_tables(empty)


async def test_the_customer_s_three_files_find_their_tables_on_a_full_database(full: Database) -> None:
    await make_tables(full)


async def test_the_set_up_job_goes_on_from_the_customer_s_three_files(
    empty: Database, fresh_schema: catalog.Facts
) -> None:
    await make_tables(empty)
    await taken_up(empty)
    async with connected(empty) as connection:
        assert catalog.difference(fresh_schema, await catalog.schema(connection)) == []


def test_0001_and_0002_begin_with_the_same_roles_and_protection() -> None:
    blocks = [
        re.search(r"^-- \(the same lines .*?^END \$file\$;$", path.read_text(), re.MULTILINE | re.DOTALL)
        for path in FILES[:2]
    ]
    assert all(blocks)
    assert len({block.group() for block in blocks if block}) == 1


def test_a_file_that_was_changed_names_the_text_that_databases_have() -> None:
    present = {migration.file: migration for migration in read(MIGRATIONS)}
    for before in read(FIRST):
        assert before.sha256 in present[before.file].accepted, before.file


async def test_a_database_of_the_files_before_is_taken_up_and_ends_as_a_fresh_one(
    older: Database, fresh_schema: catalog.Facts
) -> None:
    async with connected(older) as connection:
        data = await catalog.data(connection)
        await migrate(connection, MIGRATIONS, print)
        assert catalog.difference(fresh_schema, await catalog.schema(connection)) == []
        kept = await connection.fetch("SELECT file, sha256 FROM schema_migrations ORDER BY file")
        assert [tuple(row) for row in kept][: len(FIRST_FILES)] == [(m.file, m.sha256) for m in read(FIRST)]
        rows = ("ota_device_status", "ota_campaign_counters", "device_version_counts")
        after = await catalog.data(connection)
        assert [data[table] for table in rows] == [after[table] for table in rows]


@pytest.mark.parametrize("file", FIRST_FILES, ids=name_of)
async def test_a_database_on_which_an_older_file_was_run_again_is_mended(
    older: Database, file: Path, fresh_schema: catalog.Facts
) -> None:
    async with connected(older) as connection:
        assert "ERROR" not in await psql(older.dsn, file.read_text(encoding="utf-8"))
        await lively.work(connection)
        await taken_up(older)
        assert catalog.difference(fresh_schema, await catalog.schema(connection)) == []
        assert await lively.wrong_counters(connection) == []
        await lively.work(connection)
        assert await lively.wrong_counters(connection) == []
        assert await recount.of_campaigns(connection) == await recount.of_fleet(connection) == []


@pytest.mark.parametrize("file", ["0005_ota_device_status.sql", "0010_faster_counters.sql"])
async def test_an_older_function_put_back_does_count_wrongly(older: Database, file: str) -> None:
    """What the test above mends."""
    async with connected(older) as connection:
        await psql(older.dsn, (FIRST / file).read_text(encoding="utf-8"))
        await lively.work(connection)
        wrong = {row["counter"] for row in await lively.wrong_counters(connection)}
        assert wrong == {"offline", "refused", "retry"}


async def test_counters_that_are_wrong_under_the_right_function_are_counted_anew(
    older: Database, fresh_schema: catalog.Facts
) -> None:
    async with connected(older) as connection:
        await connection.execute("UPDATE ota_campaign_counters SET n = n + 1 WHERE counter = 'offline'")
        await taken_up(older)
        assert await lively.wrong_counters(connection) == []


async def test_the_mend_waits_for_nobody_where_nothing_is_damaged(full: Database) -> None:
    mend = (MIGRATIONS / "0014_mended.sql").read_text(encoding="utf-8")
    async with connected(full) as writer, connected(full) as connection, writer.transaction():
        await writer.execute("LOCK TABLE ota_device_status, ota_campaign_counters IN ROW EXCLUSIVE MODE")
        await connection.execute("SET lock_timeout = '2s'")
        await connection.execute(mend)


async def test_the_mend_leaves_a_later_function_alone(older: Database) -> None:
    await taken_up(older)
    async with connected(older) as connection:
        definition = await connection.fetchval("SELECT pg_get_functiondef('count_device_status'::regproc)")
        later = definition.replace("-- Rows of counters", "-- Of a later version. Rows of counters")
        await connection.execute(later)
        await connection.execute((MIGRATIONS / "0014_mended.sql").read_text(encoding="utf-8"))
        assert await connection.fetchval("SELECT pg_get_functiondef('count_device_status'::regproc)") == later
