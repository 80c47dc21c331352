"""The whole set-up: the schema, the roles' passwords, the topics. Running it again changes nothing."""

from collections.abc import Callable

import asyncpg

from pulse.runtime.db import OUTAGES
from pulse.runtime.errors import StartRefused
from pulse_setup.migrations import migrate, set_passwords
from pulse_setup.settings import SetupSettings
from pulse_setup.topics import make_topics


async def set_up(settings: SetupSettings, say: Callable[[str], None]) -> None:
    """Raises StartRefused, with one line that says what is wrong."""
    await set_up_database(settings, say)
    await make_topics(settings.kafka, settings.topics(), settings.kafka_replication, say)


async def set_up_database(settings: SetupSettings, say: Callable[[str], None]) -> None:
    """The schema and the roles' passwords. Raises StartRefused."""
    try:
        connection = await asyncpg.connect(settings.postgres_dsn, timeout=10)
    except (*OUTAGES, asyncpg.PostgresError) as error:
        raise StartRefused(f"PostgreSQL cannot be reached: {error}") from error
    try:
        await migrate(connection, settings.migrations_dir, say)
        await set_passwords(connection, settings.passwords())
    finally:
        await connection.close(timeout=5)
