"""HTTP: `/customer/devices` and `/customer/device-groups`."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from campaign_svc.campaigns.device_rows import DeviceUpdate
from campaign_svc.doors import Database
from campaign_svc.fleet import fleet
from campaign_svc.fleet.fleet_schemas import (
    BulkResult,
    Device,
    DeviceBulk,
    DeviceDetail,
    DeviceFilter,
    DeviceList,
    Group,
    GroupList,
    Members,
    MembersAdded,
    MembersRemoved,
    NewDevice,
    NewGroup,
)
from campaign_svc.refusals import (
    DeviceActive,
    DeviceExists,
    DeviceNotFound,
    DuplicateDevice,
    GroupExists,
    GroupInUse,
    GroupNotFound,
    UnknownDevice,
)
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Admin, Operator, Viewer
from pulse.runtime.described import problems
from pulse.runtime.once import OnlyOnce
from pulse.runtime.rest import COUNTED_TO, NamedInPath, Page, listed

devices = APIRouter(prefix="/customer/devices", tags=["devices"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES)
groups = APIRouter(
    prefix="/customer/device-groups", tags=["device groups"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES
)


@devices.post("", status_code=201, operation_id="register_device", responses=problems(DeviceExists))
async def register(new: NewDevice, who: Operator, pool: Database, once: OnlyOnce) -> Device:
    """Registers a device."""
    return await fleet.register(pool, who, once, new)


@devices.post("/bulk", operation_id="register_devices", responses=problems(DuplicateDevice))
async def register_all(bulk: DeviceBulk, who: Operator, pool: Database, once: OnlyOnce) -> BulkResult:
    """Creates devices or brings them up to date, all or none."""
    return await fleet.register_all(pool, who, once, bulk.devices)


@devices.get("", operation_id="list_devices", responses=problems(GroupNotFound))
async def list_devices(wanted: Annotated[DeviceFilter, Query()], who: Viewer, pool: Database) -> DeviceList:
    """Lists devices by device id."""
    rows, total, capped = await fleet.search(pool, who, wanted)
    page = listed(rows, wanted, total, lambda row: [row.device_id], capped=capped)
    return DeviceList(devices=[Device(**asdict(row)) for row in rows[: wanted.limit]], **page)


@devices.get("/{device_id}", operation_id="get_device", responses=problems(DeviceNotFound))
async def get(device_id: NamedInPath, who: Viewer, pool: Database) -> DeviceDetail:
    """One device, with its updates."""
    device, updates = await fleet.find(pool, who, device_id)
    told = [DeviceUpdate(**asdict(row), failed_attempts=[asdict(one) for one in failed]) for row, failed in updates]
    return DeviceDetail(**asdict(device), updates=told)


@devices.delete(
    "/{device_id}", status_code=204, operation_id="delete_device", responses=problems(DeviceNotFound, DeviceActive)
)
async def delete(device_id: NamedInPath, who: Admin, pool: Database) -> None:
    """Deletes a device, and takes it out of its groups. Its past updates stay in their campaigns."""
    await fleet.delete(pool, who, device_id)


@groups.post("", status_code=201, operation_id="create_group", responses=problems(GroupExists))
async def create_group(new: NewGroup, who: Operator, pool: Database, once: OnlyOnce) -> Group:
    """Creates an empty group."""
    return await fleet.create_group(pool, who, once, new)


@groups.get("", operation_id="list_groups")
async def list_groups(page: Annotated[Page, Query()], who: Viewer, pool: Database) -> GroupList:
    """Lists groups by group id."""
    rows, total = await fleet.groups(pool, who, page)
    capped = total > COUNTED_TO
    fields = listed(rows, page, min(total, COUNTED_TO), lambda row: [row.group_id], capped=capped)
    return GroupList(groups=[Group(**asdict(row)) for row in rows[: page.limit]], **fields)


@groups.get("/{group_id}", operation_id="get_group", responses=problems(GroupNotFound))
async def get_group(group_id: NamedInPath, who: Viewer, pool: Database) -> Group:
    """One group."""
    return Group(**asdict(await fleet.find_group(pool, who, group_id)))


@groups.delete(
    "/{group_id}", status_code=204, operation_id="delete_group", responses=problems(GroupNotFound, GroupInUse)
)
async def delete_group(group_id: NamedInPath, who: Admin, pool: Database) -> None:
    """Deletes a group; its devices stay."""
    await fleet.delete_group(pool, who, group_id)


@groups.post("/{group_id}/members", operation_id="add_members", responses=problems(GroupNotFound, UnknownDevice))
async def add_members(
    group_id: NamedInPath, members: Members, who: Operator, pool: Database, once: OnlyOnce
) -> MembersAdded:
    """Adds devices to a group, all or none."""
    return await fleet.add_members(pool, who, once, group_id, members.device_ids)


@groups.post(
    "/{group_id}/members/remove", operation_id="remove_members", responses=problems(GroupNotFound, UnknownDevice)
)
async def remove_members(
    group_id: NamedInPath, members: Members, who: Operator, pool: Database, once: OnlyOnce
) -> MembersRemoved:
    """Takes devices out of a group."""
    return await fleet.remove_members(pool, who, once, group_id, members.device_ids)


@groups.get("/{group_id}/members", operation_id="list_members", responses=problems(GroupNotFound))
async def list_members(
    group_id: NamedInPath, page: Annotated[Page, Query()], who: Viewer, pool: Database
) -> DeviceList:
    """Lists a group's devices by device id."""
    wanted = DeviceFilter(group_id=group_id, **page.model_dump())
    rows, total, capped = await fleet.search(pool, who, wanted)
    fields = listed(rows, wanted, total, lambda row: [row.device_id], capped=capped)
    return DeviceList(devices=[Device(**asdict(row)) for row in rows[: wanted.limit]], **fields)
