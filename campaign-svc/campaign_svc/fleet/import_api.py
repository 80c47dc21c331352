"""HTTP: `POST /customer/devices/import`, a CSV file as the body."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Query, Request

from campaign_svc.doors import Database
from campaign_svc.fleet import device_import
from campaign_svc.fleet.fleet_schemas import ImportOptions, ImportResult
from campaign_svc.refusals import GroupNotFound, InvalidCsv
from pulse.runtime.app import PROBLEMS
from pulse.runtime.auth import Operator
from pulse.runtime.described import problems
from pulse.runtime.errors import UnsupportedMediaType
from pulse.runtime.once import IdempotencyKey, once

MAX_CSV_BYTES = 64 * 1024 * 1024
IN_MEMORY_BYTES = 1024 * 1024
CSV_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "device_id,device_type,current_version,attributes.site\nd1,gw2,1.9.0,Bern\n",
            }
        },
    }
}
router = APIRouter(prefix="/customer/devices", tags=["devices"], responses=PROBLEMS, max_body_size=MAX_CSV_BYTES)


@router.post(
    "/import", operation_id="import_devices", openapi_extra=CSV_BODY, responses=problems(GroupNotFound, InvalidCsv)
)
async def import_devices(
    request: Request,
    wanted: Annotated[ImportOptions, Query()],
    who: Operator,
    pool: Database,
    idempotency_key: IdempotencyKey = None,
) -> ImportResult:
    """Creates devices from a CSV file or brings them up to date, all or none.

    The first line names the columns: `device_id,device_type`, if wanted `current_version` and `attributes.<name>`.
    Semicolons or tabs may separate in place of commas, then in every line. An empty `current_version` leaves a known
    device's as it is; with attribute columns a device has the attributes of its line, without them its attributes stay.
    Every line that is wrong is named (the first 1,000), with `line`, `field` and `code`; `errors_total` counts them
    all.
    """
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != "text/csv" or parameters.replace('"', "").strip() not in {"", "charset=utf-8"}:
        raise UnsupportedMediaType("the body must be CSV in UTF-8: send it with `Content-Type: text/csv`")
    async with _spooled(request) as (file, digest):
        only_once = once(request, idempotency_key, digest)
        return await device_import.import_devices(pool, who, only_once, file, wanted.group_id, dry_run=wanted.dry_run)


@asynccontextmanager
async def _spooled(request: Request) -> AsyncIterator[tuple[BinaryIO, str]]:
    """The whole body, read before any transaction waits for it, with its SHA-256; on disk if it is large."""
    digest = sha256()
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
        async for chunk in request.stream():
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        file.seek(0)
        yield cast("BinaryIO", file), digest.hexdigest()
