"""PostgreSQL: the pool, and the one way to open a transaction."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import structlog
from prometheus_client import Gauge, Histogram

from pulse.runtime.errors import StartRefused
from pulse.runtime.tracing import TRACES

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.pool.PoolConnectionProxy

log = structlog.get_logger()
OUTAGES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its word for a server that died while a statement was prepared, or while idle
    asyncpg.OperatorInterventionError,  # shut down under a connection, or not up yet
    asyncpg.TooManyConnectionsError,
    TimeoutError,
)
"""What a database that is away, starting or ending looks like: worth trying again."""

RACES = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""What two transactions that met look like: the loser tries again."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
WAIT_SECONDS = Histogram(
    "pulse_db_connection_wait_seconds", "Time that a transaction waited for a connection of its pool", buckets=_SECONDS
)
TRANSACTION_SECONDS = Histogram(
    "pulse_db_transaction_seconds", "Time from a transaction's begin to its commit or failure", buckets=_SECONDS
)
POOL_OPEN = Gauge("pulse_db_pool_open_connections", "Connections to the database that are open", ["pool"])
POOL_USED = Gauge("pulse_db_pool_used_connections", "Connections to the database that are in use", ["pool"])
POOL_MOST = Gauge("pulse_db_pool_max_connections", "The most connections that the pool opens", ["pool"])


@asynccontextmanager
async def pool(
    dsn: str, *, size: int = 10, command_timeout: float = 60.0, name: str = "main", setting: str = "POSTGRES_DSN"
) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections; opens without a database that is away, and connects once it is there.

    Raises StartRefused, which names the `setting`, for one that cannot be understood, and when the database is there
    and refuses: a wrong password, a name that does not exist. `name` tells the process's pools apart in metrics.
    """
    try:
        opened = await _connect(dsn, size, command_timeout)
    except (asyncpg.PostgresError, asyncpg.ClientConfigurationError) as error:
        raise StartRefused(f"setting {setting}: {error}") from error
    except ValueError:  # its words may be a piece of the password
        raise StartRefused(f"setting {setting}: is no address of a database") from None
    _watch(opened, name, size)
    try:
        yield opened
    finally:
        try:
            async with asyncio.timeout(3):
                await opened.close()
        except TimeoutError:
            opened.terminate()


async def _connect(dsn: str, size: int, command_timeout: float) -> Pool:
    opened = await asyncpg.create_pool(
        dsn, min_size=0, max_size=size, command_timeout=command_timeout, timeout=5, init=_prepare, reset=_leave_as_is
    )
    try:
        async with asyncio.timeout(5), opened.acquire():
            pass
    except asyncpg.ClientConfigurationError:  # an InterfaceError, too, but no outage
        opened.terminate()
        raise
    except OUTAGES as error:
        log.warning("database_away", reason=repr(error))
    except asyncpg.PostgresError:
        opened.terminate()
        raise
    return opened


def _watch(opened: Pool, name: str, size: int) -> None:
    POOL_MOST.labels(name).set(size)
    POOL_OPEN.labels(name).set_function(opened.get_size)
    POOL_USED.labels(name).set_function(lambda: opened.get_size() - opened.get_idle_size())


async def _prepare(connection: asyncpg.Connection) -> None:
    if TRACES.statement_logger is not None:
        connection.add_query_logger(TRACES.statement_logger)
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def _leave_as_is(connection: asyncpg.Connection) -> None:
    """Spares each use of a connection a way to the database: nothing here outlives its transaction.

    What a session could keep (settings, cursors, advisory locks, LISTEN) is only used within transactions. A
    transaction that was left open is rolled back by the pool all the same.
    """


@asynccontextmanager
async def transaction(pool: Pool, tenant: str | None = None) -> AsyncIterator[Connection]:
    """One transaction. Row level security shows it the rows of `tenant`; without one only what the role may see.

    Raises asyncpg's errors; asyncio.TimeoutError when no connection is free within 10 s.
    """
    async with statement(pool) as connection, connection.transaction():
        if tenant is not None:
            await connection.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)
        yield connection


@asynccontextmanager
async def statement(pool: Pool) -> AsyncIterator[Connection]:
    """For one statement, which is a transaction of its own: one way to the database and back, in place of three.

    Raises as `transaction` does.
    """
    asked = time.perf_counter()
    async with pool.acquire(timeout=10) as connection:
        WAIT_SECONDS.observe(time.perf_counter() - asked)
        with TRANSACTION_SECONDS.time(), TRACES.span("transaction"):
            yield connection


async def answers(pool: Pool) -> bool:
    """Whether the database answers within two seconds."""
    try:
        async with asyncio.timeout(2), pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT true"))
    except OUTAGES:
        return False
