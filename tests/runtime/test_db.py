"""A pool whose database is away, and one whose database refuses it."""

import asyncio
from urllib.parse import urlsplit

import pytest

from local_stack.ports import free_ports
from pulse.runtime import db
from pulse.runtime.errors import StartRefused
from tests.forwarded import forwarded
from tests.real_parts import Database


async def test_a_pool_opens_without_its_database_and_connects_once_it_is_there(postgres: Database) -> None:
    real = urlsplit(postgres.dsn_of("catalog_svc"))
    assert real.hostname is not None
    assert real.port is not None
    [port] = free_ports(1)
    elsewhere = real._replace(netloc=f"{real.username}:{real.password}@127.0.0.1:{port}").geturl()
    async with asyncio.timeout(20), db.pool(elsewhere, size=2) as pool:
        assert not await db.answers(pool)
        async with forwarded(port, (real.hostname, real.port)):
            assert await db.answers(pool)
            pool.terminate()


async def test_a_database_that_refuses_is_not_waited_for(postgres: Database) -> None:
    real = urlsplit(postgres.dsn_of("catalog_svc"))
    wrong = real._replace(netloc=real.netloc.replace(f":{real.password}@", ":wrong@")).geturl()
    with pytest.raises(StartRefused, match=r"^setting THE_DSN: password authentication failed"):
        async with db.pool(wrong, size=2, setting="THE_DSN"):
            pass


async def test_a_connection_is_given_back_without_a_way_to_the_database_and_keeps_nothing(postgres: Database) -> None:
    async with db.pool(postgres.dsn_of("catalog_svc"), size=1) as pool:
        async with db.transaction(pool, "acme") as connection:
            said: list[str] = []
            connection.add_query_logger(lambda record: said.append(record.query))
        async with db.statement(pool) as connection:
            assert await connection.fetchval("SELECT current_setting('app.tenant_id', true)") in {None, ""}
        assert len(said) == 2, said  # COMMIT, and the question


async def test_a_transaction_that_was_left_open_is_rolled_back_before_the_connection_is_used_again(
    postgres: Database,
) -> None:
    async with db.pool(postgres.dsn_of("catalog_svc"), size=1) as pool:
        async with db.statement(pool) as connection:
            await connection.execute("BEGIN")
            await connection.execute("SELECT set_config('app.tenant_id', 'acme', true)")
        async with db.statement(pool) as connection:
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SELECT current_setting('app.tenant_id', true)") in {None, ""}
