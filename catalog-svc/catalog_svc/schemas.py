"""Firmware versions as the API speaks of them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictInt, StringConstraints, model_validator

from pulse.contracts.addresses import AddressWarningCode, WebAddress
from pulse.contracts.names import Name
from pulse.runtime.errors import FieldError, Invalid
from pulse.runtime.rest import Body, Listed, Page, Text, Timestamp, Title, Version

MAX_FILE_BYTES = 1 << 40
SHOWN_CHANGES = 20
FIXED = ("version", "device_type", "file_size_bytes", "checksum_sha256")
"""What a version is; only where its file lies and what people read about it can be changed."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]


class NewFirmware(Body):
    """A version to register. `device_type` left out: for devices of any type."""

    version: Annotated[Version, Field(examples=["2.1.0"])]
    description: Text | None = None
    file_url: Annotated[WebAddress, Field(examples=["https://files.example.com/gw2-2.1.0.bin"])]
    file_size_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_FILE_BYTES)]
    checksum_sha256: Annotated[Sha256, Field(description="64 hexadecimal digits")]
    device_type: Name | None = None


class FirmwareChange(Body):
    """What to put right; what is left out stays as it is."""

    file_url: Annotated[
        WebAddress | None,
        Field(description="where the same file lies now; left out or null: as it is", examples=["https://x.example/f"]),
    ] = None
    description: Annotated[Text | None, Field(description="null: none any more")] = None

    @model_validator(mode="before")
    @classmethod
    def of_what_may_change(cls, given: Any) -> Any:
        """Raises Invalid, which names the fields that say what the version is."""
        fixed = [name for name in FIXED if isinstance(given, dict) and name in given]
        if fixed:
            rule = "says what the file is and never changes; register another version"
            errors = tuple(FieldError(name, "cannot_change", rule) for name in fixed)
            raise Invalid(f"{fixed[0]} {rule}", errors=errors)
        return given


class FileToFind(Body):
    """An address, and how large the file there should be."""

    file_url: Annotated[WebAddress, Field(description="where to ask", examples=["https://files.example.com/f.bin"])]
    file_size_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_FILE_BYTES, description="the size that is expected")]


class Withdrawal(Body):
    """Why a version must not be rolled out any more."""

    reason: Title


class FirmwareFilter(Page):
    """Which firmware versions; `search` looks in version and description."""

    device_type: Text | None = None
    search: Annotated[Text | None, Field(max_length=200)] = None


class AddressWarning(BaseModel):
    """Why devices may not get the file from its address. A warning is no refusal: the version can be rolled out."""

    code: Annotated[
        AddressWarningCode,
        Field(
            description="`not_checked`: the address was not asked. `unreachable`: it did not answer within 3 s. "
            "`bad_redirect`: more than 3 redirects, or to what is no address. `bad_status`: neither 200 nor 206. "
            "`size_unknown`, `size_mismatch`: what it says of the file's size"
        ),
    ]
    detail: Annotated[str, Field(description="a sentence for a person")]


class Address(BaseModel):
    """What `file_url` answered when the server asked it last: HEAD, or the first byte; the file is not read."""

    checked_at: Annotated[Timestamp | None, Field(description="when it was looked at last; null: never")] = None
    reachable: Annotated[bool | None, Field(description="whether a file is there; null: it was not asked")] = None
    status: Annotated[int | None, Field(description="the HTTP status that it answered, after redirects")] = None
    size_bytes: Annotated[int | None, Field(description="how large the file there is, in bytes")] = None
    warning: Annotated[AddressWarning | None, Field(description="null: the file is there, with the right size")] = None


class Changed(BaseModel):
    """A change of one field of a firmware version."""

    at: Annotated[Timestamp, Field(description="when")]
    by: Annotated[str, Field(description="who: the `sub` of the token")]
    field: Annotated[Literal["file_url", "description"], Field(description="what was changed")]
    old: Annotated[str | None, Field(description="what it was")]
    new: Annotated[str | None, Field(description="what it is from then on")]


class Firmware(BaseModel):
    """A firmware version. What it is never changes; `file_url` and `description` can be put right while ACTIVE."""

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
    withdrawn_by: Annotated[str | None, Field(description="who withdrew it: the `sub` of the token")]
    withdrawn_reason: Annotated[str | None, Field(description="why, in the words of who withdrew it")]
    address: Annotated[Address, Field(description="what `file_url` answered when it was asked last")]
    changes: Annotated[list[Changed], Field(description=f"what was changed, newest first, at most {SHOWN_CHANGES}")]


class Withdrawn(Firmware):
    """A withdrawn version, and the running campaigns that pause for it at their next tick."""

    campaigns_paused: list[int]


class FirmwareList(Listed):
    """A page of firmware versions, newest first."""

    firmware_versions: list[Firmware]
