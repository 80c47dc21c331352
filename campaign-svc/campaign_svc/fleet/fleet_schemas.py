"""Devices and groups as the API speaks of them."""

import json
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticKnownError

from campaign_svc.campaigns.device_rows import DeviceUpdate
from pulse.contracts.names import Name
from pulse.runtime.rest import Answer, Body, Listed, Page, Text, Timestamp, Title, Version, example

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

    model_config = example(
        {"device_id": "gw2-0017", "device_type": "gw2", "current_version": "1.9.0", "attributes": {"site": "Bern"}}
    )

    device_id: Name
    """Id of the device, unique within the tenant: 1 to 128 characters, no `/`, `+`, `#` or control characters."""
    device_type: Name
    """Its type, 1 to 128 characters; a firmware version for another type is not sent to it."""
    current_version: Version | None = None
    """The firmware version that it runs, 1 to 100 characters; null or left out: not known."""
    attributes: Attributes | None = None
    """What else is known of it: at most 50 names with texts, numbers or booleans, 8,192 characters as JSON."""


class DeviceBulk(Body):
    """Devices to create or bring up to date, all or none."""

    model_config = example(
        {
            "devices": [
                {"device_id": "gw2-0017", "device_type": "gw2", "current_version": "1.9.0"},
                {"device_id": "gw2-0018", "device_type": "gw2"},
            ]
        }
    )

    devices: Annotated[list[NewDevice], Field(min_length=1, max_length=MAX_BULK)]
    """The devices, 1 to 10,000; no id twice."""


class BulkResult(Answer):
    """How many devices were new, and how many were known."""

    created: int
    """Number of devices that were new."""
    updated: int
    """Number of devices that were known."""


class ImportOptions(Body):
    """Into which group the devices go besides; a dry run says what would happen and keeps nothing."""

    group_id: Name | None = None
    """Id of a group that the devices go into besides; left out: none."""
    dry_run: bool = False
    """True: say what would happen, and keep nothing."""


class ImportResult(BulkResult):
    """The same of a file, and how many devices came new to the group."""

    added_to_group: int
    """Number of devices that came new to the group; 0 without a group."""


class Device(Answer):
    """A device; `last_seen_at` is exact to a minute."""

    device_id: str
    """Id of the device."""
    device_type: str
    """Its device type, 1 to 128 characters."""
    current_version: str | None
    """The firmware version that it runs, as it was registered or last reported; null: not known."""
    attributes: dict[str, Any]
    """What else is known of it, by name; may be empty."""
    last_seen_at: Timestamp | None
    """When a message of it last came in, exact to a minute, RFC 3339 in UTC; null: never."""
    created_at: Timestamp
    """When it was registered, RFC 3339 in UTC."""


class DeviceDetail(Device):
    """A device with its updates, newest campaign first."""

    updates: list[DeviceUpdate]
    """Its updates, newest campaign first, at most 200."""


class DeviceFilter(Page):
    """Which devices; `search` looks in device ids."""

    search: Annotated[Text | None, Field(max_length=200)] = None
    """Only devices with this text in their id, in upper or lower case; up to 200 characters."""
    device_type: Text | None = None
    """Only devices of exactly this type."""
    group_id: Text | None = None
    """Only members of this group."""


class DeviceList(Listed):
    """A page of devices, by device id."""

    devices: list[Device]
    """The devices of this page, by device id."""


class NewGroup(Body):
    """A named list of devices."""

    model_config = example({"group_id": "gw2-field", "name": "Gateways in the field"})

    group_id: Name
    """Id of the group, unique within the tenant: 1 to 128 characters, no `/`, `+`, `#` or control characters."""
    name: Title
    """Name of the group, for people: one line of 1 to 200 characters."""
    description: Text | None = None
    """What it is for, for people; up to 4,000 characters."""


class Group(Answer):
    """A group; who belongs to a campaign is settled when the campaign is created."""

    group_id: str
    """Id of the group."""
    name: str
    """Name of the group, for people."""
    description: str | None
    """What it is for; null where nothing was said."""
    member_count: int
    """Number of devices in it, from 0."""
    created_at: Timestamp
    """When it was created, RFC 3339 in UTC."""


class GroupList(Listed):
    """A page of groups, by group id."""

    groups: list[Group]
    """The groups of this page, by group id."""


class Members(Body):
    """Devices by their ids; naming one twice is the same as once."""

    model_config = example({"device_ids": ["gw2-0017", "gw2-0018"]})

    device_ids: Annotated[list[Name], Field(min_length=1, max_length=MAX_BULK)]
    """Ids of registered devices, 1 to 10,000."""


class MembersAdded(Answer):
    """How many came, and how many were there already."""

    added: int
    """Number of devices that came new to the group."""
    already: int
    """Number of devices that were in it already."""


class MembersRemoved(Answer):
    """How many went."""

    removed: int
    """Number of devices that were taken out; those that were not in it do not count."""
