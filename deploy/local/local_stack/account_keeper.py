"""Ends the broker's accounts of devices that are deleted: database and password file are compared, again and again.

What an account was made for is remembered beside the password file: its device, by the time at which it was registered.
An account goes when its device does, and when another device has its name; the same account is never a new device's.
Users that are no devices, and accounts whose device this database never had, are left alone: so nothing goes because
the database is empty, another one, or restored.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
import structlog

from local_stack import password_file
from local_stack.files import write_atomically
from pulse.contracts.mqtt import owner
from pulse.runtime import logs
from pulse.runtime.errors import StartRefused
from pulse.runtime.settings import Dsn, ServiceSettings, load

LOOK_SECONDS = 2.0
REST = 50
"""Between two looks it rests so many times as long as a look takes."""
ANSWER_SECONDS = 30.0
OUTAGES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_IDENTITY = """
SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                 (SELECT timeline_id FROM pg_control_checkpoint()), 'devices'::regclass::oid)"""
"""Another one after a restore, in any way: server, its history, and the table itself."""
_REGISTERED = """
SELECT a.name, (extract(epoch FROM d.created_at) * 1000000)::bigint
  FROM unnest($1::text[], $2::text[], $3::text[]) AS a (name, tenant_id, device_id)
  JOIN devices d USING (tenant_id, device_id)"""
log = structlog.get_logger()


class Known(NamedTuple):
    """An account, by its line's digest, and when the device was registered that it is for: microseconds since 1970."""

    line: str
    device: int


class Memory(msgspec.Struct, frozen=True):
    """What was known at the last look, and of which database."""

    database: str = ""
    accounts: dict[str, Known] = {}


class KeeperSettings(ServiceSettings):
    """`postgres_dsn` may read `devices`; `looked_file` is touched after every look that has ended well."""

    postgres_dsn: Dsn
    passwords: Path
    looked: Path


def judge(
    lines: Mapping[str, str], devices: Mapping[str, int], known: Mapping[str, Known]
) -> tuple[set[str], dict[str, Known]]:
    """Whose account ends, and what is known of the others. All by user: digests of lines, times of registration."""
    gone = {
        user
        for user, line in lines.items()
        if user in known and known[user].line == line and devices.get(user) != known[user].device
    }
    return gone, {user: Known(lines[user], devices[user]) for user in lines if user in devices and user not in gone}


async def look(connection: "asyncpg.Connection[asyncpg.Record]", file: Path) -> set[str]:
    """Compares once, and removes; gives the users whose accounts ended.

    The file is read before the database: who registers a device first and then gives it an account loses none.
    The broker is told before that is remembered: a look that was killed in between is made up for by the next.
    """
    memory = _remembered(file)
    found = {user: rest for user, rest in password_file.read(file).items() if owner(user)}
    if not found and not memory.accounts:
        return set()
    database: str = await connection.fetchval(_IDENTITY)
    known = memory.accounts if database == memory.database else {}
    gone, kept = judge(
        {user: _digest(rest) for user, rest in found.items()}, await _registered(connection, found), known
    )
    taken = password_file.remove(file, {user: found[user] for user in gone})
    if taken or memory.accounts.keys() - found.keys():
        password_file.reread(file.parent)
    if (after := Memory(database, kept)) != memory:
        write_atomically(_memory_file(file), msgspec.json.encode(after).decode())
    return taken


async def _registered(connection: "asyncpg.Connection[asyncpg.Record]", users: Mapping[str, str]) -> dict[str, int]:
    """When the device of each user was registered, of those that are."""
    devices = [(user, *found) for user in users if (found := owner(user))]
    rows = (
        await connection.fetch(_REGISTERED, *(list(column) for column in zip(*devices, strict=True))) if devices else []
    )
    return {row[0]: row[1] for row in rows}


def _digest(line: str) -> str:
    return sha256(line.encode()).hexdigest()[:32]


def _memory_file(passwords: Path) -> Path:
    return passwords.with_name("accounts.json")


def _remembered(passwords: Path) -> Memory:
    """Nothing of a file that is not there or cannot be read: then no account is known to be of a device."""
    try:
        return msgspec.json.decode(_memory_file(passwords).read_bytes(), type=Memory)
    except (FileNotFoundError, msgspec.DecodeError):
        return Memory()


async def keep(settings: KeeperSettings) -> None:
    """Looks until it is stopped; what does not answer is asked again."""
    while True:
        try:
            connection = await asyncpg.connect(settings.postgres_dsn, timeout=10, command_timeout=ANSWER_SECONDS)
            try:
                await _look_on(connection, settings)
            finally:
                connection.terminate()
        except OUTAGES as error:
            log.warning("accounts_not_compared", error=repr(error))
            await asyncio.sleep(LOOK_SECONDS)


async def _look_on(connection: "asyncpg.Connection[asyncpg.Record]", settings: KeeperSettings) -> None:
    while True:
        began = time.monotonic()
        for user in sorted(await look(connection, settings.passwords)):
            log.info("account_removed", user=user)
        settings.looked.touch()
        await asyncio.sleep(max(LOOK_SECONDS, REST * (time.monotonic() - began)))


def main() -> int:
    try:
        settings = load(KeeperSettings)
    except StartRefused as error:
        print(f"account_keeper: {error}", file=sys.stderr)
        return 2
    logs.configure("accounts", settings.log_level)
    asyncio.run(keep(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
