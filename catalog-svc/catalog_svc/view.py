"""A firmware version's row becomes the API's answer."""

from dataclasses import asdict
from typing import Any

from catalog_svc.schemas import AddressWarning, Firmware
from catalog_svc.store import FirmwareRow
from pulse.contracts.addresses import NEVER_ASKED


def answer(row: FirmwareRow) -> Firmware:
    """The version as the API speaks of it."""
    return Firmware.model_validate(fields(row))


def fields(row: FirmwareRow) -> dict[str, Any]:
    """The fields of Firmware."""
    said = (row.address_warning_code, row.address_warning) if row.address_checked_at else NEVER_ASKED
    return asdict(row) | {
        "address": {
            "checked_at": row.address_checked_at,
            "reachable": row.address_reachable,
            "status": row.address_status,
            "size_bytes": row.address_size_bytes,
            "warning": warning(*said),
        }
    }


def warning(code: str | None, detail: str | None) -> AddressWarning | None:
    """None without a code."""
    return AddressWarning.model_validate({"code": code, "detail": detail}) if code else None
