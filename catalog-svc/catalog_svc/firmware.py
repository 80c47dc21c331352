"""Register, find and withdraw firmware versions."""

from dataclasses import asdict

from catalog_svc import store
from catalog_svc.schemas import Firmware, FirmwareFilter, NewFirmware, Withdrawn
from catalog_svc.store import FirmwareRow
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.errors import Conflict, NotFound
from pulse.runtime.once import Once
from pulse.runtime.rest import like


class FirmwareNotFound(NotFound):
    code = "firmware_not_found"


class DuplicateVersion(Conflict):
    code = "duplicate_version"


async def register(pool: Pool, who: Principal, once: Once, new: NewFirmware) -> Firmware:
    """Raises DuplicateVersion."""
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
        firmware = Firmware(**asdict(row))
        await once.keep(conn, firmware)
    return firmware


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
        withdrawn = Withdrawn(**asdict(row), campaigns_paused=running)
        await once.keep(conn, withdrawn)
    return withdrawn
