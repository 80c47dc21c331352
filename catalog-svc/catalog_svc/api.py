"""HTTP: `/customer/firmware`."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from catalog_svc import firmware
from catalog_svc.schemas import Firmware, FirmwareFilter, FirmwareList, NewFirmware, Withdrawal, Withdrawn
from pulse.runtime.app import MAX_BODY_BYTES, PROBLEMS
from pulse.runtime.auth import Operator, Viewer
from pulse.runtime.db import Pool
from pulse.runtime.once import OnlyOnce
from pulse.runtime.rest import COUNTED_TO, RowId, listed

router = APIRouter(prefix="/customer/firmware", tags=["firmware"], responses=PROBLEMS, max_body_size=MAX_BODY_BYTES)


async def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


Database = Annotated[Pool, Depends(_pool)]


@router.post("", status_code=201, operation_id="register_firmware")
async def register(new: NewFirmware, who: Operator, pool: Database, once: OnlyOnce) -> Firmware:
    """Registers a firmware version. It can never be changed, only withdrawn."""
    return await firmware.register(pool, who, once, new)


@router.get("", operation_id="list_firmware")
async def list_versions(wanted: Annotated[FirmwareFilter, Query()], who: Viewer, pool: Database) -> FirmwareList:
    """Lists firmware versions, newest first."""
    rows, total = await firmware.search(pool, who, wanted)
    page: dict[str, Any] = listed(rows, wanted, min(total, COUNTED_TO), lambda row: [row.id], capped=total > COUNTED_TO)
    return FirmwareList(firmware_versions=[Firmware(**asdict(row)) for row in rows[: wanted.limit]], **page)


@router.get("/{firmware_id}", operation_id="get_firmware")
async def get(firmware_id: RowId, who: Viewer, pool: Database) -> Firmware:
    """One firmware version."""
    return Firmware(**asdict(await firmware.find(pool, who, firmware_id)))


@router.post("/{firmware_id}/withdraw", operation_id="withdraw_firmware")
async def withdraw(
    firmware_id: RowId, withdrawal: Withdrawal, who: Operator, pool: Database, once: OnlyOnce
) -> Withdrawn:
    """Withdraws a version: no campaign of it can start, and running ones pause within a second or two."""
    return await firmware.withdraw(pool, who, once, firmware_id, withdrawal.reason)
