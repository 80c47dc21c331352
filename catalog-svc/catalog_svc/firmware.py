"""Register, find, put right and withdraw firmware versions."""

from datetime import UTC, datetime

import structlog

from catalog_svc import store
from catalog_svc.file_check import FileCheck, Finding
from catalog_svc.schemas import (
    Address,
    FileToFind,
    Firmware,
    FirmwareChange,
    FirmwareFilter,
    NewFirmware,
    Withdrawn,
)
from catalog_svc.store import Changes, FirmwareRow
from catalog_svc.view import answer, fields, warning
from pulse.runtime import db
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.errors import Conflict, NotFound
from pulse.runtime.once import Once
from pulse.runtime.rest import like

log = structlog.get_logger()


class FirmwareNotFound(NotFound):
    """There is no such firmware version."""

    code = "firmware_not_found"


class DuplicateVersion(Conflict):
    """The version is registered for this device type already."""

    code = "duplicate_version"


class FirmwareWithdrawn(Conflict):
    """The version is withdrawn: nothing of it can be changed any more."""

    code = "firmware_withdrawn"


async def register(pool: Pool, who: Principal, once: Once, files: FileCheck, new: NewFirmware) -> Firmware:
    """Registers a version, then asks its address: a file that is not there is a warning. Raises DuplicateVersion."""
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        row = await store.insert(
            conn,
            who.tenant,
            who.subject,
            new.version,
            new.description,
            new.file_url,
            new.file_size_bytes,
            new.checksum_sha256,
            new.device_type,
        )
        if row is None:
            scope = f"device type {new.device_type}" if new.device_type else "any device type"
            raise DuplicateVersion(f"version {new.version} for {scope} exists already", field="version")
        await once.keep(conn, answer(row))
    return await _asked(pool, who, once, files, row)


async def change(
    pool: Pool, who: Principal, once: Once, files: FileCheck, firmware_id: int, wanted: FirmwareChange
) -> Firmware:
    """Puts address and description right, and asks a new address. Raises FirmwareNotFound, FirmwareWithdrawn."""
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        row = _active(await store.lock(conn, who.tenant, firmware_id), firmware_id)
        changes = _changes(row, wanted)
        if changes:
            await store.change(conn, who.tenant, row, who.subject, changes)
            row = _active(await store.get(conn, who.tenant, firmware_id), firmware_id)
        await once.keep(conn, answer(row))
    return await _asked(pool, who, once, files, row) if "file_url" in changes else answer(row)


def _changes(row: FirmwareRow, wanted: FirmwareChange) -> Changes:
    """What is to be another value than it is."""
    changes: Changes = {}
    if wanted.file_url not in (None, row.file_url):
        changes["file_url"] = wanted.file_url
    if "description" in wanted.model_fields_set and wanted.description != row.description:
        changes["description"] = wanted.description
    return changes


async def check(pool: Pool, who: Principal, once: Once, files: FileCheck, firmware_id: int) -> Firmware:
    """Asks the address again and keeps what it answers. Raises FirmwareNotFound, FirmwareWithdrawn."""
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        row = _active(await store.get(conn, who.tenant, firmware_id), firmware_id)
        await once.keep(conn, answer(row))
    return await _asked(pool, who, once, files, row)


async def look(pool: Pool, who: Principal, once: Once, files: FileCheck, wanted: FileToFind) -> Address:
    """Asks an address that no version has yet."""
    finding = await files.ask(wanted.file_url, wanted.file_size_bytes)
    found = Address(
        checked_at=datetime.now(UTC),
        reachable=finding.reachable,
        status=finding.status,
        size_bytes=finding.size_bytes,
        warning=warning(finding.code, finding.warning),
    )
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        await once.keep(conn, found)
    return found


async def _asked(pool: Pool, who: Principal, once: Once, files: FileCheck, row: FirmwareRow) -> Firmware:
    """What is committed, with what its address answers; nothing is held open while it is asked."""
    finding = await files.ask(row.file_url, row.file_size_bytes)
    try:
        return await _noted(pool, who, once, row, finding)
    except db.OUTAGES as error:  # what was asked for is done
        log.warning("address_not_noted", firmware_id=row.id, error=repr(error))
        return answer(row)


async def _noted(pool: Pool, who: Principal, once: Once, row: FirmwareRow, finding: Finding) -> Firmware:
    async with transaction(pool, who.tenant) as conn:
        noted = answer(await store.note_finding(conn, who.tenant, row, finding) or row)
        await once.keep(conn, noted)
    return noted


def _active(row: FirmwareRow | None, firmware_id: int) -> FirmwareRow:
    if row is None:
        raise FirmwareNotFound(f"there is no firmware version {firmware_id}")
    if row.status == "WITHDRAWN":
        said = f" by {row.withdrawn_by}: {row.withdrawn_reason}" if row.withdrawn_reason else ""
        raise FirmwareWithdrawn(f"firmware version {row.version} was withdrawn{said}")
    return row


async def find(pool: Pool, who: Principal, firmware_id: int) -> FirmwareRow:
    """Raises FirmwareNotFound."""
    async with transaction(pool, who.tenant) as conn:
        row = await store.get(conn, who.tenant, firmware_id)
    if row is None:
        raise FirmwareNotFound(f"there is no firmware version {firmware_id}")
    return row


async def search(pool: Pool, who: Principal, wanted: FirmwareFilter) -> tuple[list[FirmwareRow], int]:
    """A page and one row more, newest first; and how many there are in all."""
    rows_of = store.Wanted(who.tenant, wanted.device_type, like(wanted.search))
    key = wanted.key(int)
    async with transaction(pool, who.tenant) as conn:
        rows = await store.page(conn, rows_of, key[0] if key else None, wanted.limit + 1, wanted.offset)
        return rows, await store.count(conn, rows_of)


async def withdraw(pool: Pool, who: Principal, once: Once, firmware_id: int, reason: str) -> Withdrawn:
    """Withdraws a version; campaign-svc pauses its running campaigns. Again is harmless. Raises FirmwareNotFound."""
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        await store.withdraw(conn, who.tenant, firmware_id, who.subject, reason)
        row = await store.get(conn, who.tenant, firmware_id)
        if row is None:
            raise FirmwareNotFound(f"there is no firmware version {firmware_id}")
        running = await store.running_campaigns(conn, who.tenant, firmware_id)
        withdrawn = Withdrawn.model_validate(fields(row) | {"campaigns_paused": running})
        await once.keep(conn, withdrawn)
    return withdrawn
