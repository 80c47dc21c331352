"""Firmware versions as the API speaks of them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, model_validator

from pulse.contracts.addresses import AddressWarningCode, WebAddress
from pulse.contracts.names import Name
from pulse.runtime.errors import FieldError, Invalid
from pulse.runtime.rest import Answer, Body, Listed, Page, Text, Timestamp, Title, Version, example

MAX_FILE_BYTES = 1 << 40
SHOWN_CHANGES = 20
FIXED = ("version", "device_type", "file_size_bytes", "checksum_sha256")
"""What a version is; only where its file lies and what people read about it can be changed."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]


class NewFirmware(Body):
    """A version to register. `device_type` left out: for devices of any type."""

    model_config = example(
        {
            "version": "2.1.0",
            "description": "Longer battery life",
            "file_url": "https://files.example.com/gw2-2.1.0.bin",
            "file_size_bytes": 1048576,
            "checksum_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "device_type": "gw2",
        }
    )

    version: Annotated[Version, Field(examples=["2.1.0"])]
    """What devices report as theirs once they run it: one line of 1 to 100 characters, unique for the device type."""
    description: Text | None = None
    """What is new, for people; up to 4,000 characters."""
    file_url: Annotated[WebAddress, Field(examples=["https://files.example.com/gw2-2.1.0.bin"])]
    """Where devices download the file: `http` or `https`, up to 2,000 characters."""
    file_size_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_FILE_BYTES)]
    """Size of the file in bytes, 1 to 2^40 (1 TiB). Devices are told it."""
    checksum_sha256: Annotated[Sha256, Field()]
    """SHA-256 of the file, 64 hexadecimal digits. Devices check the download against it."""
    device_type: Name | None = None
    """The type of the devices that may get it; left out or null: devices of any type."""


class FirmwareChange(Body):
    """What to put right; what is left out stays as it is."""

    model_config = example({"file_url": "https://files.example.com/moved/gw2-2.1.0.bin"})

    file_url: WebAddress | None = None
    """Where the same file lies now, `http` or `https`, up to 2,000 characters; left out or null: as it is."""
    description: Text | None = None
    """What is new, for people; up to 4,000 characters. Null: none any more."""

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

    model_config = example({"file_url": "https://files.example.com/gw2-2.1.0.bin", "file_size_bytes": 1048576})

    file_url: WebAddress
    """Where to ask: `http` or `https`, up to 2,000 characters."""
    file_size_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_FILE_BYTES)]
    """The size that is expected, in bytes, 1 to 2^40 (1 TiB)."""


class Withdrawal(Body):
    """Why a version must not be rolled out any more."""

    model_config = example({"reason": "devices restart in a loop"})

    reason: Title
    """Why, for people: one line of 1 to 200 characters."""


class FirmwareFilter(Page):
    """Which firmware versions; `search` looks in version and description."""

    device_type: Text | None = None
    """Only versions that were registered for exactly this device type."""
    search: Annotated[Text | None, Field(max_length=200)] = None
    """Only versions with this text in version or description, in upper or lower case; up to 200 characters."""


class AddressWarning(Answer):
    """Why devices may not get the file from its address. A warning is no refusal: the version can be rolled out."""

    code: AddressWarningCode
    """`not_checked`: the address was not asked. `unreachable`: it did not answer within 3 s. `bad_redirect`: more
    than 3 redirects, or to what is no address. `bad_status`: neither 200 nor 206. `size_unknown`,
    `size_mismatch`: what it says of the file's size."""
    detail: str
    """A sentence for a person."""


class Address(Answer):
    """What `file_url` answered when the server asked it last: HEAD, or the first byte; the file is not read."""

    checked_at: Timestamp | None = None
    """When it was looked at last, RFC 3339 in UTC; null: never."""
    reachable: bool | None = None
    """Whether a file is there; null: it was not asked."""
    status: int | None = None
    """The HTTP status that it answered, after redirects."""
    size_bytes: int | None = None
    """How large the file there is, in bytes."""
    warning: AddressWarning | None = None
    """Null: the file is there, with the right size."""


class Changed(Answer):
    """A change of one field of a firmware version."""

    at: Timestamp
    """When it was changed, RFC 3339 in UTC."""
    by: str
    """Who: the `sub` of the token."""
    field: Literal["file_url", "description"]
    """What was changed."""
    old: str | None
    """What it was."""
    new: str | None
    """What it is from then on."""


class Firmware(Answer):
    """A firmware version. What it is never changes; `file_url` and `description` can be put right while ACTIVE."""

    id: int
    """Number of the firmware version, from 1, unique over all tenants."""
    version: str
    """What devices report as theirs once they run it, 1 to 100 characters."""
    description: str | None
    """What is new, for people; null where nothing was said."""
    file_url: str
    """Where devices download the file."""
    file_size_bytes: int
    """Size of the file in bytes, from 1."""
    checksum_sha256: str
    """SHA-256 of the file, 64 lower-case hexadecimal digits."""
    device_type: str | None
    """The type of the devices that may get it; null: devices of any type."""
    status: Literal["ACTIVE", "WITHDRAWN"]
    """`WITHDRAWN`: no campaign of it can start, and running ones pause."""
    created_at: Timestamp
    """When it was registered, RFC 3339 in UTC."""
    created_by: str
    """Who registered it: the `sub` of the token."""
    withdrawn_at: Timestamp | None
    """When it was withdrawn, RFC 3339 in UTC; null while it is `ACTIVE`."""
    withdrawn_by: str | None
    """Who withdrew it: the `sub` of the token."""
    withdrawn_reason: str | None
    """Why, in the words of who withdrew it."""
    address: Address
    """What `file_url` answered when it was asked last."""
    changes: list[Changed]
    """What was changed, newest first, at most 20."""


class Withdrawn(Firmware):
    """A withdrawn version, and the running campaigns that pause for it at their next tick."""

    campaigns_paused: list[int]
    """Numbers of the running campaigns that pause for it."""


class FirmwareList(Listed):
    """A page of firmware versions, newest first."""

    firmware_versions: list[Firmware]
    """The versions of this page, newest first."""
