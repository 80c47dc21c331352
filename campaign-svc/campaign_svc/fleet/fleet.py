"""Devices and groups: register, find, put into groups, delete."""

from dataclasses import asdict

from campaign_svc.campaigns import rows_store
from campaign_svc.campaigns.rows_store import FailedAttemptRecord, RowRecord
from campaign_svc.fleet import fleet_store as store
from campaign_svc.fleet import group_store
from campaign_svc.fleet.fleet_schemas import (
    BulkResult,
    Device,
    DeviceFilter,
    Group,
    MembersAdded,
    MembersRemoved,
    NewDevice,
    NewGroup,
)
from campaign_svc.fleet.fleet_store import DeviceRecord, Given
from campaign_svc.fleet.group_store import GroupRecord
from campaign_svc.refusals import (
    NAMED_ERRORS,
    DeviceActive,
    DeviceExists,
    DeviceNotFound,
    DuplicateDevice,
    GroupExists,
    GroupInUse,
    GroupNotFound,
    unknown_devices,
)
from pulse.runtime.auth import Principal
from pulse.runtime.db import Connection, Pool, transaction
from pulse.runtime.errors import FieldError
from pulse.runtime.once import Once
from pulse.runtime.rest import Page, like


def _given(new: NewDevice) -> Given:
    return Given(new.device_id, new.device_type, new.current_version, new.attributes)


async def register(pool: Pool, who: Principal, once: Once, new: NewDevice) -> Device:
    """Raises DeviceExists."""
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        row = await store.insert_device(conn, who.tenant, _given(new))
        if row is None:
            raise DeviceExists(f"device {new.device_id} exists already", field="device_id")
        device = Device(**asdict(row))
        await once.keep(conn, device)
    return device


async def register_all(pool: Pool, who: Principal, once: Once, devices: list[NewDevice]) -> BulkResult:
    """Creates or brings up to date, all or none. Raises DuplicateDevice."""
    seen: set[str] = set()
    errors: list[FieldError] = []
    for n, device in enumerate(devices):
        if device.device_id in seen:
            errors.append(FieldError(f"devices.{n}.device_id", DuplicateDevice.code, "is in this request already"))
        seen.add(device.device_id)
    if errors:
        detail = f"{len(errors)} devices are in the request more than once"
        raise DuplicateDevice(detail, errors=tuple(errors[:NAMED_ERRORS]))
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        created, updated = await store.upsert_devices(conn, who.tenant, [_given(device) for device in devices])
        result = BulkResult(created=created, updated=updated)
        await once.keep(conn, result)
    return result


async def find(
    pool: Pool, who: Principal, device_id: str
) -> tuple[DeviceRecord, list[tuple[RowRecord, list[FailedAttemptRecord]]]]:
    """A device and its updates, newest campaign first, each with its failed attempts. Raises DeviceNotFound."""
    async with transaction(pool, who.tenant) as conn:
        device = await store.device(conn, who.tenant, device_id)
        if device is None:
            raise DeviceNotFound(f"there is no device {device_id}")
        rows = await rows_store.history(conn, who.tenant, device_id)
        failed: dict[int, list[FailedAttemptRecord]] = {row.campaign_id: [] for row in rows}
        for attempt in await rows_store.failed_attempts(conn, device_id, list(failed)):
            failed[attempt.campaign_id].append(attempt)
        return device, [(row, failed[row.campaign_id]) for row in rows]


async def search(pool: Pool, who: Principal, wanted: DeviceFilter) -> tuple[list[DeviceRecord], int, bool]:
    """A page and one device more, the total, and whether it was capped. Raises GroupNotFound."""
    rows_of = store.Wanted(who.tenant, like(wanted.search), wanted.device_type, wanted.group_id)
    key = wanted.key(str)
    async with transaction(pool, who.tenant) as conn:
        if wanted.group_id is not None and await group_store.group(conn, who.tenant, wanted.group_id) is None:
            raise GroupNotFound(f"there is no group {wanted.group_id}", field="group_id")
        rows = await store.devices(conn, rows_of, key[0] if key else None, wanted.limit + 1, wanted.offset)
        if wanted.holds_all(rows):
            return rows, len(rows), False
        return rows, *await store.count_devices(conn, rows_of)


async def delete(pool: Pool, who: Principal, device_id: str) -> None:
    """Raises DeviceNotFound; DeviceActive while a campaign waits for the device or it is at work."""
    async with transaction(pool, who.tenant) as conn:
        if not await store.lock_device(conn, who.tenant, device_id):
            raise DeviceNotFound(f"there is no device {device_id}")
        campaign = await store.unfinished_campaign(conn, who.tenant, device_id)
        if campaign is not None:
            raise DeviceActive(f"campaign {campaign} is not finished with device {device_id}")
        await store.delete_device(conn, who.tenant, device_id)


async def create_group(pool: Pool, who: Principal, once: Once, new: NewGroup) -> Group:
    """Raises GroupExists."""
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        row = await group_store.insert_group(conn, who.tenant, new.group_id, new.name, new.description)
        if row is None:
            raise GroupExists(f"group {new.group_id} exists already", field="group_id")
        group = Group(**asdict(row))
        await once.keep(conn, group)
    return group


async def find_group(pool: Pool, who: Principal, group_id: str) -> GroupRecord:
    """Raises GroupNotFound."""
    async with transaction(pool, who.tenant) as conn:
        group = await group_store.group(conn, who.tenant, group_id)
    if group is None:
        raise GroupNotFound(f"there is no group {group_id}")
    return group


async def groups(pool: Pool, who: Principal, page: Page) -> tuple[list[GroupRecord], int]:
    """A page and one group more; and how many there are."""
    key = page.key(str)
    async with transaction(pool, who.tenant) as conn:
        rows = await group_store.groups(conn, who.tenant, key[0] if key else None, page.limit + 1, page.offset)
        return rows, await group_store.count_groups(conn, who.tenant)


async def delete_group(pool: Pool, who: Principal, group_id: str) -> None:
    """Raises GroupNotFound; GroupInUse while a campaign that aims at it is not finished."""
    async with transaction(pool, who.tenant) as conn:
        if not await group_store.lock_group(conn, who.tenant, group_id):
            raise GroupNotFound(f"there is no group {group_id}")
        campaign = await group_store.campaign_of_group(conn, who.tenant, group_id)
        if campaign is not None:
            raise GroupInUse(f"campaign {campaign} aims at group {group_id} and is not finished")
        await group_store.delete_group(conn, who.tenant, group_id)


async def add_members(pool: Pool, who: Principal, once: Once, group_id: str, device_ids: list[str]) -> MembersAdded:
    """Raises GroupNotFound, UnknownDevice (nothing is done then)."""
    unique = sorted(set(device_ids))
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        await _lock_known(conn, who, group_id, device_ids)
        added = await group_store.add_members(conn, who.tenant, group_id, unique)
        result = MembersAdded(added=added, already=len(unique) - added)
        await once.keep(conn, result)
    return result


async def remove_members(
    pool: Pool, who: Principal, once: Once, group_id: str, device_ids: list[str]
) -> MembersRemoved:
    """Raises GroupNotFound, UnknownDevice (nothing is done then)."""
    async with transaction(pool, who.tenant) as conn:
        await once.claim(conn, who.tenant)
        await _lock_known(conn, who, group_id, device_ids)
        result = MembersRemoved(removed=await group_store.remove_members(conn, who.tenant, group_id, device_ids))
        await once.keep(conn, result)
    return result


async def _lock_known(conn: Connection, who: Principal, group_id: str, device_ids: list[str]) -> None:
    """Devices first, then the group: in the order in which a deletion locks them."""
    if await group_store.group(conn, who.tenant, group_id) is None:
        raise GroupNotFound(f"there is no group {group_id}")
    unknown = await store.unknown_devices(conn, who.tenant, sorted(set(device_ids)))
    if unknown:
        raise unknown_devices(device_ids, unknown)
    if not await group_store.lock_group(conn, who.tenant, group_id):
        raise GroupNotFound(f"there is no group {group_id}")
