"""A database's backup and its restore, by PostgreSQL's own programs, as docs/operations.md has them."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from local_stack.child import run
from local_stack.layout import ROOT
from local_stack.postgres import binaries

AFTER_RESTORE = ROOT / "deploy" / "setup" / "after-restore.sql"


async def backed_up(dsn: str, file: Path) -> None:
    """Writes all that the database has at one moment to a file."""
    await _program("pg_dump", dsn, "--format=custom", f"--file={file}")


async def restored(dsn: str, file: Path) -> None:
    """The database is what it was when the file was written, and made ready for services. Ends all its connections."""
    address = urlsplit(dsn)
    name = address.path.removeprefix("/")
    server = await asyncpg.connect(address._replace(path="/postgres").geturl(), timeout=10)
    try:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.execute(f'CREATE DATABASE "{name}"')
    finally:
        await server.close()
    await _program("pg_restore", dsn, "--exit-on-error", str(file))
    database = await asyncpg.connect(dsn, timeout=10)
    try:
        await database.execute(AFTER_RESTORE.read_text(encoding="utf-8"))
    finally:
        await database.close()


async def _program(name: str, dsn: str, *words: str) -> None:
    address = urlsplit(dsn)
    plain = address._replace(netloc=f"{address.username}@{address.hostname}:{address.port}").geturl()
    await run(
        str(binaries() / name),
        f"--dbname={plain}",
        *words,
        timeout=60,
        env={"PGPASSWORD": address.password or "", "PATH": os.environ["PATH"]},
    )
