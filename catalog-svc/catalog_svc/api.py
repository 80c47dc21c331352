"""HTTP: `/customer/firmware`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from catalog_svc import firmware
from catalog_svc.file_check import FileCheck
from catalog_svc.firmware import DuplicateVersion, FirmwareNotFound, FirmwareWithdrawn
from catalog_svc.schemas import (
    Address,
    FileToFind,
    Firmware,
    FirmwareChange,
    FirmwareFilter,
    FirmwareList,
    NewFirmware,
    Withdrawal,
    Withdrawn,
)
from catalog_svc.view import answer
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Operator, Viewer
from pulse.runtime.db import Pool
from pulse.runtime.described import problems
from pulse.runtime.once import OnlyOnce
from pulse.runtime.rest import COUNTED_TO, RowId, listed

router = APIRouter(prefix="/customer/firmware", tags=["firmware"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES)


async def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


async def _files(request: Request) -> FileCheck:
    files: FileCheck = request.app.state.files
    return files


Database = Annotated[Pool, Depends(_pool)]
Files = Annotated[FileCheck, Depends(_files)]


@router.post("", status_code=201, operation_id="register_firmware", responses=problems(DuplicateVersion))
async def register(new: NewFirmware, who: Operator, pool: Database, once: OnlyOnce, files: Files) -> Firmware:
    """Registers a firmware version. What it is never changes; it can be withdrawn.

    The server then asks `file_url` for the file and its size. What is not as it should be is a warning in `address`:
    the file may come later.
    """
    return await firmware.register(pool, who, once, files, new)


@router.post("/check/address", operation_id="check_address")
async def look(wanted: FileToFind, who: Operator, pool: Database, once: OnlyOnce, files: Files) -> Address:
    """Asks an address for a file and its size, before a version is registered with it. Takes 5 s at most."""
    return await firmware.look(pool, who, once, files, wanted)


@router.get("", operation_id="list_firmware")
async def list_versions(wanted: Annotated[FirmwareFilter, Query()], who: Viewer, pool: Database) -> FirmwareList:
    """Lists firmware versions, newest first."""
    rows, total = await firmware.search(pool, who, wanted)
    page: dict[str, Any] = listed(rows, wanted, min(total, COUNTED_TO), lambda row: [row.id], capped=total > COUNTED_TO)
    return FirmwareList(firmware_versions=[answer(row) for row in rows[: wanted.limit]], **page)


@router.get("/{firmware_id}", operation_id="get_firmware", responses=problems(FirmwareNotFound))
async def get(firmware_id: RowId, who: Viewer, pool: Database) -> Firmware:
    """One firmware version."""
    return answer(await firmware.find(pool, who, firmware_id))


@router.patch(
    "/{firmware_id}",
    operation_id="change_firmware",
    responses=problems(FirmwareNotFound, FirmwareWithdrawn),
)
async def change(
    firmware_id: RowId, wanted: FirmwareChange, who: Operator, pool: Database, once: OnlyOnce, files: Files
) -> Firmware:
    """Puts the address or the description of a version right, with who and when in `changes`.

    Commands made from then on have the new address, those of running campaigns too; the file there must be the same.
    A new address is asked as at the registration. Not for a withdrawn version.
    """
    return await firmware.change(pool, who, once, files, firmware_id, wanted)


@router.post(
    "/{firmware_id}/check",
    operation_id="check_firmware",
    responses=problems(FirmwareNotFound, FirmwareWithdrawn),
)
async def check(firmware_id: RowId, who: Operator, pool: Database, once: OnlyOnce, files: Files) -> Firmware:
    """Asks the address of a version again for the file and its size. Takes 5 s at most. Not for a withdrawn version."""
    return await firmware.check(pool, who, once, files, firmware_id)


@router.post("/{firmware_id}/withdraw", operation_id="withdraw_firmware", responses=problems(FirmwareNotFound))
async def withdraw(
    firmware_id: RowId, withdrawal: Withdrawal, who: Operator, pool: Database, once: OnlyOnce
) -> Withdrawn:
    """Withdraws a version: no campaign of it can start, and running ones pause within a second or two."""
    return await firmware.withdraw(pool, who, once, firmware_id, withdrawal.reason)
