"""Firmware versions as the API speaks of them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictInt, StringConstraints

from pulse.contracts.addresses import WebAddress
from pulse.contracts.names import Name
from pulse.runtime.rest import Body, Listed, Page, Text, Timestamp, Title, Version

MAX_FILE_BYTES = 1 << 40
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]


class NewFirmware(Body):
    """A version to register. `device_type` left out: for devices of any type."""

    version: Annotated[Version, Field(examples=["2.1.0"])]
    description: Text | None = None
    file_url: Annotated[WebAddress, Field(examples=["https://files.example.com/gw2-2.1.0.bin"])]
    file_size_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_FILE_BYTES)]
    checksum_sha256: Annotated[Sha256, Field(description="64 hexadecimal digits")]
    device_type: Name | None = None


class Withdrawal(Body):
    """Why a version must not be rolled out any more."""

    reason: Title


class FirmwareFilter(Page):
    """Which firmware versions; `search` looks in version and description."""

    device_type: Text | None = None
    search: Annotated[Text | None, Field(max_length=200)] = None


class Firmware(BaseModel):
    """A firmware version; it never changes, but for being withdrawn."""

    id: int
    version: str
    description: str | None
    file_url: str
    file_size_bytes: int
    checksum_sha256: str
    device_type: str | None
    status: Literal["ACTIVE", "WITHDRAWN"]
    created_at: Timestamp
    created_by: str
    withdrawn_at: Timestamp | None


class Withdrawn(Firmware):
    """A withdrawn version, and the running campaigns that pause for it at their next tick."""

    campaigns_paused: list[int]


class FirmwareList(Listed):
    """A page of firmware versions, newest first."""

    firmware_versions: list[Firmware]
