"""The runner of migrations and the passwords, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest

from pulse.runtime.errors import StartRefused
from pulse_setup.migrations import migrate, set_passwords
from tests.real_parts import Database, Databases

TABLE = "BEGIN; CREATE TABLE IF NOT EXISTS one (n int); COMMIT;"
SAME = f"-- same effect as: {sha256(TABLE.encode()).hexdigest()}"
ROW = "BEGIN; INSERT INTO one VALUES (1); COMMIT;"


@pytest.fixture
async def empty(databases: Databases) -> AsyncIterator[Database]:
    database = await databases.empty()
    yield database
    await databases.drop(database)


@pytest.fixture
async def connection(empty: Database) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(empty.dsn)
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0002_row.sql").write_text(ROW)
    (tmp_path / "0001_table.sql").write_text(TABLE)
    (tmp_path / "notes.txt").write_text("not SQL")
    return tmp_path


async def run(connection: asyncpg.Connection, folder: Path) -> list[str]:
    said: list[str] = []
    await migrate(connection, folder, said.append)
    return said


async def test_files_are_applied_in_order_and_once(connection: asyncpg.Connection, folder: Path) -> None:
    assert await run(connection, folder) == ["applied 0001_table.sql", "applied 0002_row.sql"]
    assert await run(connection, folder) == []
    assert await connection.fetchval("SELECT count(*) FROM one") == 1


async def test_a_new_file_is_applied_alone(connection: asyncpg.Connection, folder: Path) -> None:
    await run(connection, folder)
    (folder / "0003_more.sql").write_text(ROW)
    assert await run(connection, folder) == ["applied 0003_more.sql"]


async def test_five_runners_at_once_apply_each_file_once(empty: Database, folder: Path) -> None:
    connections = [await asyncpg.connect(empty.dsn) for _ in range(5)]
    said = await asyncio.gather(*(run(one, folder) for one in connections))
    assert sorted(line for lines in said for line in lines) == ["applied 0001_table.sql", "applied 0002_row.sql"]
    assert await connections[0].fetchval("SELECT count(*) FROM one") == 1
    for one in connections:
        await one.close()


async def test_a_file_changed_after_it_was_applied_is_refused(connection: asyncpg.Connection, folder: Path) -> None:
    await run(connection, folder)
    (folder / "0001_table.sql").write_text(TABLE + " -- and more")
    with pytest.raises(StartRefused, match=r"0001_table\.sql was changed after it was applied"):
        await run(connection, folder)


async def test_a_changed_file_that_names_what_was_applied_is_accepted_and_the_record_stays(
    connection: asyncpg.Connection, folder: Path
) -> None:
    await run(connection, folder)
    applied = await connection.fetch("SELECT * FROM schema_migrations ORDER BY file")
    (folder / "0001_table.sql").write_text(f"-- One table.\n{SAME}\n{TABLE} -- and more")
    assert await run(connection, folder) == []
    assert await connection.fetch("SELECT * FROM schema_migrations ORDER BY file") == applied


async def test_an_earlier_text_counts_only_where_the_head_names_it(
    connection: asyncpg.Connection, folder: Path
) -> None:
    await run(connection, folder)
    (folder / "0001_table.sql").write_text(f"-- One table.\n{TABLE} -- and more\n{SAME}\n")
    with pytest.raises(StartRefused, match=r"0001_table\.sql was changed after it was applied"):
        await run(connection, folder)


async def test_a_file_that_fails_is_named_and_leaves_nothing(connection: asyncpg.Connection, folder: Path) -> None:
    (folder / "0003_bad.sql").write_text("BEGIN; CREATE TABLE half (n int); SELECT 1/0; COMMIT;")
    with pytest.raises(StartRefused, match=r"0003_bad\.sql: division by zero"):
        await run(connection, folder)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    (folder / "0003_bad.sql").write_text("BEGIN; CREATE TABLE half (n int); COMMIT;")
    assert await run(connection, folder) == ["applied 0003_bad.sql"]


async def test_a_missing_folder_is_refused(connection: asyncpg.Connection, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="no folder of migrations"):
        await run(connection, tmp_path / "none")


@pytest.mark.parametrize("role", ["catalog_svc", "campaign_svc", "campaign_loops", "status_ingest_svc"])
async def test_each_role_logs_in_with_its_password_and_no_other(postgres: Database, role: str) -> None:
    connection = await asyncpg.connect(postgres.dsn_of(role))
    assert await connection.fetchval("SELECT current_user") == role
    assert await connection.fetchval("SELECT current_setting('is_superuser')") == "off"
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.cluster.dsn_of(role, "wrong", postgres.name))


async def test_a_password_may_hold_any_character(connection: asyncpg.Connection, empty: Database) -> None:
    odd = "a'b\"c\\d$e f%"
    await connection.execute("CREATE ROLE odd_svc LOGIN")
    await set_passwords(connection, {"odd_svc": odd})
    other = await asyncpg.connect(
        host="127.0.0.1", port=empty.cluster.port, user="odd_svc", password=odd, database=empty.name
    )
    await other.close()
    await connection.execute("DROP ROLE odd_svc")


async def test_a_role_that_does_not_exist_is_named(connection: asyncpg.Connection) -> None:
    with pytest.raises(StartRefused, match="role nobody_svc does not exist"):
        await set_passwords(connection, {"nobody_svc": "x"})
