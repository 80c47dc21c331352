"""Devices and groups: register, find, put into groups, delete."""

from campaign_svc import fleet_store as store
from campaign_svc import rows_store
from campaign_svc.fleet_schemas import DeviceFilter, NewDevice, NewGroup
from campaign_svc.fleet_store import DeviceRecord, Given, GroupRecord
from campaign_svc.rows_store import RowRecord
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.errors import Conflict, FieldError, Invalid, NotFound
from pulse.runtime.rest import Page, like

NAMED_ERRORS = 100
"""At most so many fields are named in one refusal."""


class DeviceNotFound(NotFound):
    code = "device_not_found"


class GroupNotFound(NotFound):
    code = "group_not_found"


class DeviceExists(Conflict):
    code = "device_exists"


class DeviceActive(Conflict):
    code = "device_active"


class GroupExists(Conflict):
    code = "group_exists"


class GroupInUse(Conflict):
    code = "group_in_use"


class UnknownDevice(Invalid):
    code = "unknown_device"


class DuplicateDevice(Invalid):
    code = "duplicate_device"


def _given(new: NewDevice) -> Given:
    return Given(new.device_id, new.device_type, new.current_version, new.attributes)


async def register(pool: Pool, who: Principal, new: NewDevice) -> DeviceRecord:
    """Raises DeviceExists."""
    async with transaction(pool, who.tenant) as conn:
        device = await store.insert_device(conn, who.tenant, _given(new))
    if device is None:
        raise DeviceExists(f"device {new.device_id} exists already", field="device_id")
    return device


async def register_all(pool: Pool, who: Principal, devices: list[NewDevice]) -> tuple[int, int]:
    """How many were created and how many brought up to date; all or none. Raises DuplicateDevice."""
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
        return await store.upsert_devices(conn, who.tenant, [_given(device) for device in devices])


async def find(pool: Pool, who: Principal, device_id: str) -> tuple[DeviceRecord, list[RowRecord]]:
    """A device and its updates, newest campaign first. Raises DeviceNotFound."""
    async with transaction(pool, who.tenant) as conn:
        device = await store.device(conn, who.tenant, device_id)
        if device is None:
            raise DeviceNotFound(f"there is no device {device_id}")
        return device, await rows_store.history(conn, who.tenant, device_id)


async def search(pool: Pool, who: Principal, wanted: DeviceFilter) -> tuple[list[DeviceRecord], int, bool]:
    """A page and one device more, the total, and whether it was capped. Raises GroupNotFound."""
    rows_of = store.Wanted(who.tenant, like(wanted.search), wanted.device_type, wanted.group_id)
    key = wanted.key(str)
    async with transaction(pool, who.tenant) as conn:
        if wanted.group_id is not None and await store.group(conn, who.tenant, wanted.group_id) is None:
            raise GroupNotFound(f"there is no group {wanted.group_id}", field="group_id")
        rows = await store.devices(conn, rows_of, key[0] if key else None, wanted.limit + 1, wanted.offset)
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


async def create_group(pool: Pool, who: Principal, new: NewGroup) -> GroupRecord:
    """Raises GroupExists."""
    async with transaction(pool, who.tenant) as conn:
        group = await store.insert_group(conn, who.tenant, new.group_id, new.name, new.description)
    if group is None:
        raise GroupExists(f"group {new.group_id} exists already", field="group_id")
    return group


async def find_group(pool: Pool, who: Principal, group_id: str) -> GroupRecord:
    """Raises GroupNotFound."""
    async with transaction(pool, who.tenant) as conn:
        group = await store.group(conn, who.tenant, group_id)
    if group is None:
        raise GroupNotFound(f"there is no group {group_id}")
    return group


async def groups(pool: Pool, who: Principal, page: Page) -> tuple[list[GroupRecord], int]:
    """A page and one group more; and how many there are."""
    key = page.key(str)
    async with transaction(pool, who.tenant) as conn:
        rows = await store.groups(conn, who.tenant, key[0] if key else None, page.limit + 1, page.offset)
        return rows, await store.count_groups(conn, who.tenant)


async def delete_group(pool: Pool, who: Principal, group_id: str) -> None:
    """Raises GroupNotFound; GroupInUse while a campaign that aims at it is not finished."""
    async with transaction(pool, who.tenant) as conn:
        if not await store.lock_group(conn, who.tenant, group_id):
            raise GroupNotFound(f"there is no group {group_id}")
        campaign = await store.campaign_of_group(conn, who.tenant, group_id)
        if campaign is not None:
            raise GroupInUse(f"campaign {campaign} aims at group {group_id} and is not finished")
        await store.delete_group(conn, who.tenant, group_id)


async def add_members(pool: Pool, who: Principal, group_id: str, device_ids: list[str]) -> tuple[int, int]:
    """How many came and how many were there already. Raises GroupNotFound, UnknownDevice (nothing is done then)."""
    unique = sorted(set(device_ids))
    async with transaction(pool, who.tenant) as conn:
        if not await store.lock_group(conn, who.tenant, group_id):
            raise GroupNotFound(f"there is no group {group_id}")
        _refuse(device_ids, await store.unknown_devices(conn, who.tenant, unique))
        added = await store.add_members(conn, who.tenant, group_id, unique)
    return added, len(unique) - added


async def remove_members(pool: Pool, who: Principal, group_id: str, device_ids: list[str]) -> int:
    """How many went. Raises GroupNotFound, UnknownDevice (nothing is done then)."""
    unique = sorted(set(device_ids))
    async with transaction(pool, who.tenant) as conn:
        if not await store.lock_group(conn, who.tenant, group_id):
            raise GroupNotFound(f"there is no group {group_id}")
        _refuse(device_ids, await store.unknown_devices(conn, who.tenant, unique))
        return await store.remove_members(conn, who.tenant, group_id, unique)


def _refuse(device_ids: list[str], unknown: set[str]) -> None:
    if unknown:
        errors = [
            FieldError(f"device_ids.{n}", UnknownDevice.code, f"there is no device {device_id}")
            for n, device_id in enumerate(device_ids)
            if device_id in unknown
        ]
        raise UnknownDevice(f"{len(unknown)} devices are not known", errors=tuple(errors[:NAMED_ERRORS]))
