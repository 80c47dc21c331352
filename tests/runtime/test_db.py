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
