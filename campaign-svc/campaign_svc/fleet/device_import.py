"""A CSV file of devices: all of it goes in, or nothing and every line that is wrong is named."""

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from campaign_svc.fleet import group_store, import_store
from campaign_svc.fleet.device_csv import DeviceCsv, GivenLine
from campaign_svc.fleet.fleet_schemas import ImportResult
from campaign_svc.fleet.import_store import Row
from campaign_svc.refusals import DuplicateDevice, GroupNotFound, InvalidCsv
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection, Pool, transaction
from pulse.runtime.errors import LineError
from pulse.runtime.once import Once

NAMED_LINES = 1_000
"""So many errors are named; the others are counted."""
LINES_AT_ONCE = 5_000


class _Errors:
    """The first errors, and how many there are."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[LineError] = []

    def add(self, error: LineError) -> None:
        self.total += 1
        if len(self.first) < NAMED_LINES:
            self.first.append(error)


async def import_devices(
    pool: Pool, who: Principal, once: Once, file: BinaryIO, group_id: str | None, *, dry_run: bool
) -> ImportResult:
    """Creates devices or brings them up to date, and puts them into the group; a dry run keeps nothing.

    Raises GroupNotFound; InvalidCsv with the lines.
    """
    async with transaction(pool, who.tenant) as conn:
        if not dry_run:
            await once.claim(conn, who.tenant)
        if group_id is not None and await group_store.group(conn, who.tenant, group_id) is None:
            raise GroupNotFound(f"there is no group {group_id}", field="group_id")
        given = await asyncio.to_thread(DeviceCsv, file)
        await _load(conn, given)
        kept = conn.transaction()
        await kept.start()
        result = await _write(conn, who, given, group_id)
        if dry_run:
            await kept.rollback()
        else:
            await kept.commit()
            await once.keep(conn, result)
    return result


async def _load(conn: Connection, given: DeviceCsv) -> None:
    """Every line into the transaction's table. Raises InvalidCsv."""
    errors = _Errors()
    for error in given.header_errors:
        errors.add(error)
    if not errors.total:
        await import_store.begin(conn)
        lines = given.lines()
        while some := await asyncio.to_thread(_some, lines):
            for line in some:
                if isinstance(line, LineError):
                    errors.add(line)
            await import_store.take(conn, [_row(line) for line in some if isinstance(line, GivenLine)])
        total, duplicates = await import_store.duplicates(conn, NAMED_LINES)
        errors.total += total
        errors.first += [
            LineError("device_id", DuplicateDevice.code, f"is in line {twice.first} already", twice.line)
            for twice in duplicates
        ]
    if errors.total:
        raise InvalidCsv(sorted(errors.first, key=lambda error: error.line)[:NAMED_LINES], errors.total)


def _some(lines: Iterator[GivenLine | LineError]) -> list[GivenLine | LineError]:
    return list(islice(lines, LINES_AT_ONCE))


def _row(line: GivenLine) -> Row:
    device = line.device
    attributes = json.dumps(device.attributes or {})
    return line.number, device.device_id, device.device_type, device.current_version, attributes


async def _write(conn: Connection, who: Principal, given: DeviceCsv, group_id: str | None) -> ImportResult:
    """Devices first, then the group: in the order in which a deletion locks them."""
    created, updated = await import_store.upsert(conn, who.tenant, attributes=given.has_attributes)
    if group_id is None:
        return ImportResult(created=created, updated=updated, added_to_group=0)
    if not await group_store.lock_group(conn, who.tenant, group_id):
        raise GroupNotFound(f"there is no group {group_id}", field="group_id")
    added = await import_store.add_to_group(conn, who.tenant, group_id)
    return ImportResult(created=created, updated=updated, added_to_group=added)
