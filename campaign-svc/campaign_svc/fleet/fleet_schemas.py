"""Devices and groups as the API speaks of them."""

import json
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticKnownError

from campaign_svc.campaigns.device_rows import DeviceUpdate
from pulse.contracts.names import Name
from pulse.runtime.rest import Body, Listed, Page, Text, Timestamp, Title, Version

MAX_BULK = 10_000
MAX_ATTRIBUTES = 50
AttributeName = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=100)]


def _one_fault(value: object, check: ValidatorFunctionWrapHandler) -> object:
    """One error at the attribute itself, not one for each kind that it might have been."""
    try:
        return check(value)
    except ValidationError as wrong:
        if isinstance(value, str):
            [as_text, *_] = wrong.errors()
            raise PydanticKnownError(as_text["type"], as_text["ctx"]) from None  # type: ignore[arg-type]
        raise ValueError("a text of at most 500 characters, a number, true, false or null") from None


AttributeValue = Annotated[
    Annotated[Text, Field(max_length=500)] | bool | int | float | None, WrapValidator(_one_fault)
]


def _few(attributes: dict[str, Any]) -> dict[str, Any]:
    if len(attributes) > MAX_ATTRIBUTES:
        raise ValueError(f"at most {MAX_ATTRIBUTES} attributes")
    if len(json.dumps(attributes)) > 8192:
        raise ValueError("attributes take more than 8192 characters as JSON")
    return attributes


Attributes = Annotated[
    dict[AttributeName, AttributeValue],
    AfterValidator(_few),
    Field(json_schema_extra={"maxProperties": MAX_ATTRIBUTES, "propertyNames": {"minLength": 1, "maxLength": 100}}),
]


class NewDevice(Body):
    """A device. In a bulk, `current_version` and `attributes` left out leave a known device's as they are."""

    device_id: Name
    device_type: Name
    current_version: Version | None = None
    attributes: Attributes | None = None


class DeviceBulk(Body):
    """Devices to create or bring up to date, all or none."""

    devices: Annotated[list[NewDevice], Field(min_length=1, max_length=MAX_BULK)]


class BulkResult(BaseModel):
    """How many devices were new, and how many were known."""

    created: int
    updated: int


class ImportOptions(Body):
    """Into which group the devices go besides; a dry run says what would happen and keeps nothing."""

    group_id: Name | None = None
    dry_run: bool = False


class ImportResult(BulkResult):
    """The same of a file, and how many devices came new to the group."""

    added_to_group: int


class Device(BaseModel):
    """A device; `last_seen_at` is exact to a minute."""

    device_id: str
    device_type: str
    current_version: str | None
    attributes: dict[str, Any]
    last_seen_at: Timestamp | None
    created_at: Timestamp


class DeviceDetail(Device):
    """A device with its updates, newest campaign first."""

    updates: list[DeviceUpdate]


class DeviceFilter(Page):
    """Which devices; `search` looks in device ids."""

    search: Annotated[Text | None, Field(max_length=200)] = None
    device_type: Text | None = None
    group_id: Text | None = None


class DeviceList(Listed):
    """A page of devices, by device id."""

    devices: list[Device]


class NewGroup(Body):
    """A named list of devices."""

    group_id: Name
    name: Title
    description: Text | None = None


class Group(BaseModel):
    """A group; who belongs to a campaign is settled when the campaign is created."""

    group_id: str
    name: str
    description: str | None
    member_count: int
    created_at: Timestamp


class GroupList(Listed):
    """A page of groups, by group id."""

    groups: list[Group]


class Members(Body):
    """Devices by their ids; naming one twice is the same as once."""

    device_ids: Annotated[list[Name], Field(min_length=1, max_length=MAX_BULK)]


class MembersAdded(BaseModel):
    """How many came, and how many were there already."""

    added: int
    already: int


class MembersRemoved(BaseModel):
    """How many went."""

    removed: int
