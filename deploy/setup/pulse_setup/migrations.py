"""Plain SQL files become the schema: in the order of their names, each once, one runner at a time."""

import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from pulse.runtime.errors import StartRefused

LOCK = 0x50554C5345
"""The advisory lock that runners take ("PULSE"); the files have locks of their own for `psql < file`."""
RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    file text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""
_SAME_EFFECT = re.compile(r"-- same effect as: ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, its text, and the checksum by which a later change of it is noticed."""

    file: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def accepted(self) -> set[str]:
        """The checksums under which it counts as applied: its own, and those of earlier texts that its head names.

        An earlier text made the same of a database that did not have it. The head ends where the comments end.
        """
        head = itertools.takewhile(lambda line: line.startswith("--"), self.sql.splitlines())
        return {self.sha256} | {found[1] for line in head if (found := _SAME_EFFECT.fullmatch(line))}


def read(folder: Path) -> list[Migration]:
    """The migrations of a folder in order. Raises StartRefused when there is no such folder."""
    if not folder.is_dir():
        raise StartRefused(f"no folder of migrations at {folder}")
    return [Migration(path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.sql"))]


def still_to_apply(migrations: list[Migration], applied: dict[str, str]) -> list[Migration]:
    """Those not in `applied` (checksum by file). Raises StartRefused for a file changed after it was applied.

    An applied file that was changed is accepted where it names the checksum that was applied (`-- same effect as: …`).
    The record stays as it is, so that the version before finds its own checksums.
    """
    for migration in migrations:
        if applied.get(migration.file, migration.sha256) not in migration.accepted:
            raise StartRefused(
                f"{migration.file} was changed after it was applied to this database; "
                "put it back as it was, and write the change as a new migration"
            )
    return [migration for migration in migrations if migration.file not in applied]


async def migrate(connection: asyncpg.Connection, folder: Path, say: Callable[[str], None]) -> None:
    """Applies what is missing. A second runner waits for the first one, and then finds nothing to do.

    A file is a transaction of its own and harmless when run twice, so a crash between the file and its record is healed
    by the next run. Raises StartRefused, which names the file, when one fails.
    """
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute(RECORD)
        rows = await connection.fetch("SELECT file, sha256 FROM schema_migrations")
        for migration in still_to_apply(read(folder), {row["file"]: row["sha256"] for row in rows}):
            await _apply(connection, migration)
            say(f"applied {migration.file}")
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    try:
        await connection.execute(migration.sql)
    except asyncpg.PostgresError as error:
        await connection.execute("ROLLBACK")
        raise StartRefused(f"{migration.file}: {error}") from error
    await connection.execute(
        "INSERT INTO schema_migrations (file, sha256) VALUES ($1, $2)", migration.file, migration.sha256
    )


async def set_passwords(connection: asyncpg.Connection, passwords: dict[str, str]) -> None:
    """Lets each role log in with its password. Raises StartRefused for a role that the migrations did not make."""
    for role, password in passwords.items():
        statement = await connection.fetchval(
            "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password
        )
        try:
            await connection.execute(statement)
        except asyncpg.UndefinedObjectError as error:
            raise StartRefused(f"role {role} does not exist; the migrations make it") from error
