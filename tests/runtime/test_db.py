"""A pool whose database is away, and one whose database refuses it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import pytest

from local_stack.ports import free_ports
from pulse.runtime import db
from tests.real_parts import Database


@asynccontextmanager
async def forwarded(port: int, to: tuple[str, int]) -> AsyncIterator[None]:
    """What is said to the port of this machine is said there."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                sink.write(data)
        sink.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*to)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


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
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with db.pool(wrong, size=2):
            pass
