"""Every operation of both services: who may do it, and a request that succeeds. From the OpenAPI none is missing."""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.api.world import CAMPAIGNS, DEVICES, FIRMWARE, GROUPS, OPENAPI, World
from tests.rest import Caller

ROLES = ("viewer", "operator", "approver", "admin")
VIEWERS, OPERATORS, APPROVERS, ADMINS = set(ROLES), {"operator", "admin"}, {"approver", "admin"}, {"admin"}
CSV = "device_id,device_type\n{}-a,gw2\n"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send; `body` as JSON, or a text as CSV."""

    method: str
    path: str
    body: object = None

    async def send(self, by: Caller) -> Any:
        if isinstance(self.body, str):
            return await by.upload(self.path, self.body)
        if self.path.endswith("/events"):
            return await by.open(self.path)
        return await by.ask(self.method, self.path, self.body)


@dataclass(frozen=True, slots=True)
class Operation:
    """`names_object`: its path names an object, which another tenant must not find."""

    roles: set[str]
    status: int
    arrange: Callable[[World], Awaitable[tuple[str, object]]]
    names_object: bool = True


def at(path: str, body: object = None) -> Callable[[World], Awaitable[tuple[str, object]]]:
    """A path that is the same each time."""

    async def arranged(_: World) -> tuple[str, object]:
        return path, body

    return arranged


def on_campaign(end: str = "", body: object = None, status: str = "CREATED") -> Any:
    async def arranged(world: World) -> tuple[str, object]:
        return f"{CAMPAIGNS}/{(await world.campaign(status))['id']}{end}", body

    return arranged


def on_group(end: str = "", member: str | None = None) -> Any:
    async def arranged(world: World) -> tuple[str, object]:
        group = await world.group()
        ids = {"device": None if member else await world.device(), "member": f"{group}-0"}
        return f"{GROUPS}/{group}{end}", {"device_ids": [ids[member or "device"]]} if end else None

    return arranged


async def new_firmware(world: World) -> tuple[str, object]:
    return FIRMWARE, world.new_firmware()


async def one_firmware(world: World) -> tuple[str, object]:
    return f"{FIRMWARE}/{await world.firmware()}", None


async def firmware_to_check(world: World) -> tuple[str, object]:
    return f"{FIRMWARE}/{await world.firmware()}/check", None


async def firmware_change(world: World) -> tuple[str, object]:
    return f"{FIRMWARE}/{await world.firmware()}", {"file_url": "http://elsewhere/f"}


async def withdrawal(world: World) -> tuple[str, object]:
    return f"{FIRMWARE}/{await world.firmware()}/withdraw", {"reason": "bad"}


async def new_device(world: World) -> tuple[str, object]:
    return DEVICES, {"device_id": world.name(), "device_type": "gw2"}


async def new_devices(world: World) -> tuple[str, object]:
    return f"{DEVICES}/bulk", {"devices": [(await new_device(world))[1]]}


async def csv(world: World) -> tuple[str, object]:
    return f"{DEVICES}/import", CSV.format(world.name())


async def one_device(world: World) -> tuple[str, object]:
    return f"{DEVICES}/{await world.device()}", None


async def new_group(world: World) -> tuple[str, object]:
    return GROUPS, {"group_id": world.name(), "name": "G"}


async def new_campaign(world: World) -> tuple[str, object]:
    return CAMPAIGNS, await world.new_campaign()


async def approval(world: World) -> tuple[str, object]:
    made = await world.campaign("RUNNING", rollout_strategy="canary")
    await world.stage(made["id"], "AWAITING_APPROVAL")
    return f"{CAMPAIGNS}/{made['id']}/stages/0/approve", None


async def exclusion(world: World) -> tuple[str, object]:
    made = await world.campaign()
    return f"{CAMPAIGNS}/{made['id']}/devices/{made['target_group_id']}-0/skip", {"reason": "in repair"}


async def overview(world: World) -> tuple[str, object]:
    await world.campaign("RUNNING")
    return "/customer/ota/overview", None


async def firmware_usage(world: World) -> tuple[str, object]:
    made = await world.campaign("RUNNING")
    return f"/customer/ota/firmware-usage?firmware_version_id={made['firmware_version_id']}", None


OPERATIONS = {
    "POST /customer/firmware": Operation(OPERATORS, 201, new_firmware, names_object=False),
    "GET /customer/firmware": Operation(VIEWERS, 200, at(FIRMWARE), names_object=False),
    "GET /customer/firmware/{firmware_id}": Operation(VIEWERS, 200, one_firmware),
    "POST /customer/firmware/check/address": Operation(
        OPERATORS,
        200,
        at(f"{FIRMWARE}/check/address", {"file_url": "http://files/f", "file_size_bytes": 10}),
        names_object=False,
    ),
    "PATCH /customer/firmware/{firmware_id}": Operation(OPERATORS, 200, firmware_change),
    "POST /customer/firmware/{firmware_id}/check": Operation(OPERATORS, 200, firmware_to_check),
    "POST /customer/firmware/{firmware_id}/withdraw": Operation(OPERATORS, 200, withdrawal),
    "POST /customer/devices": Operation(OPERATORS, 201, new_device, names_object=False),
    "POST /customer/devices/bulk": Operation(OPERATORS, 200, new_devices, names_object=False),
    "POST /customer/devices/import": Operation(OPERATORS, 200, csv, names_object=False),
    "GET /customer/devices": Operation(VIEWERS, 200, at(DEVICES), names_object=False),
    "GET /customer/devices/{device_id}": Operation(VIEWERS, 200, one_device),
    "DELETE /customer/devices/{device_id}": Operation(ADMINS, 204, one_device),
    "POST /customer/device-groups": Operation(OPERATORS, 201, new_group, names_object=False),
    "GET /customer/device-groups": Operation(VIEWERS, 200, at(GROUPS), names_object=False),
    "GET /customer/device-groups/{group_id}": Operation(VIEWERS, 200, on_group()),
    "DELETE /customer/device-groups/{group_id}": Operation(ADMINS, 204, on_group()),
    "POST /customer/device-groups/{group_id}/members": Operation(OPERATORS, 200, on_group("/members")),
    "POST /customer/device-groups/{group_id}/members/remove": Operation(
        OPERATORS, 200, on_group("/members/remove", "member")
    ),
    "GET /customer/device-groups/{group_id}/members": Operation(VIEWERS, 200, on_group("/members")),
    "POST /customer/ota/campaigns": Operation(OPERATORS, 201, new_campaign, names_object=False),
    "GET /customer/ota/campaigns": Operation(VIEWERS, 200, at(CAMPAIGNS), names_object=False),
    "GET /customer/ota/campaigns/{campaign_id}": Operation(VIEWERS, 200, on_campaign()),
    "DELETE /customer/ota/campaigns/{campaign_id}": Operation(ADMINS, 204, on_campaign()),
    "PATCH /customer/ota/campaigns/{campaign_id}": Operation(OPERATORS, 200, on_campaign(body={"rollout_rate": 7})),
    "POST /customer/ota/campaigns/{campaign_id}/start": Operation(OPERATORS, 200, on_campaign("/start")),
    "POST /customer/ota/campaigns/{campaign_id}/pause": Operation(
        OPERATORS, 200, on_campaign("/pause", status="RUNNING")
    ),
    "POST /customer/ota/campaigns/{campaign_id}/abort": Operation(OPERATORS, 200, on_campaign("/abort")),
    "POST /customer/ota/campaigns/{campaign_id}/retry": Operation(
        OPERATORS, 202, on_campaign("/retry", status="COMPLETED")
    ),
    "POST /customer/ota/campaigns/{campaign_id}/stages/{number}/approve": Operation(APPROVERS, 200, approval),
    "GET /customer/ota/campaigns/{campaign_id}/devices": Operation(VIEWERS, 200, on_campaign("/devices")),
    "POST /customer/ota/campaigns/{campaign_id}/devices/{device_id}/skip": Operation(OPERATORS, 200, exclusion),
    "GET /customer/ota/campaigns/{campaign_id}/timeline": Operation(VIEWERS, 200, on_campaign("/timeline")),
    "GET /customer/ota/campaigns/{campaign_id}/history": Operation(VIEWERS, 200, on_campaign("/history")),
    "GET /customer/ota/campaigns/{campaign_id}/events": Operation(VIEWERS, 200, on_campaign("/events")),
    "GET /customer/ota/events": Operation(VIEWERS, 200, at("/customer/ota/events"), names_object=False),
    "GET /customer/ota/overview": Operation(VIEWERS, 200, overview, names_object=False),
    "GET /customer/ota/firmware-usage": Operation(VIEWERS, 200, firmware_usage, names_object=False),
}


async def request(name: str, world: World) -> Request:
    """A request that succeeds for one who may, on an object of its own."""
    path, body = await OPERATIONS[name].arrange(world)
    return Request(name.split(maxsplit=1)[0], path, None if name.startswith("GET") else body)


def documented() -> Iterator[str]:
    """The operations in the services' OpenAPI."""
    for file in sorted(OPENAPI.glob("*.json")):
        for path, methods in json.loads(file.read_text(encoding="utf-8"))["paths"].items():
            for method in methods:
                yield f"{method.upper()} {path}"
