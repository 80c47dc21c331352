"""What the customer's own console calls through the gateway, and the fields that it reads: none may change its name."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.world import World, behind_gateway
from tests.rest import token

API = "/api/v1/customer"
LIST = {"total": int, "total_capped": bool, "limit": int, "offset": int, "next": (str, type(None))}
FIRMWARE = {
    "id": int, "version": str, "description": (str, type(None)), "file_url": str, "file_size_bytes": int,
    "checksum_sha256": str, "device_type": (str, type(None)), "status": str, "created_at": str, "created_by": str,
    "withdrawn_at": (str, type(None)), "withdrawn_by": (str, type(None)), "withdrawn_reason": (str, type(None)),
    "address": dict, "changes": list,
}  # fmt: skip
CAMPAIGN = {
    "id": int, "name": str, "status": str, "epoch": int, "firmware_version_id": int, "firmware_version": str,
    "firmware_device_type": (str, type(None)), "target_group_id": (str, type(None)),
    "target_of": (dict, type(None)), "rollout_strategy": str, "rollout_rate": int,
    "abort_threshold": float, "abort_rule": str, "abort_min_devices": int, "abort_confidence": float,
    "max_attempts": int, "attempt_timeout_seconds": int, "max_in_flight": (int, type(None)),
    "ramp_start": (int, type(None)), "ramp_factor": (int, float), "end_at": (str, type(None)), "total_devices": int,
    "succeeded": int, "failed": int, "status_breakdown": dict, "waiting": dict, "current_stage": int, "stages": list,
    "dispatched_devices": int, "failing_devices": int, "e_value": (float, type(None)), "abort_at": (int, type(None)),
    "status_reason": (dict, type(None)), "firmware_withdrawal": (dict, type(None)),
    "created_at": str, "created_by": str, "started_at": (str, type(None)),
    "completed_at": (str, type(None)),
}  # fmt: skip
STAGE = {
    "number": int, "name": str, "share": (float, type(None)), "count": (int, type(None)), "rollout_rate": int,
    "soak_seconds": int, "min_success": float, "approval": bool, "status": str, "total": int,
    "status_breakdown": dict, "soak_until": (str, type(None)), "approved_by": (str, type(None)),
    "approved_at": (str, type(None)), "needed": (int, type(None)), "stuck_since": (str, type(None)),
}  # fmt: skip
ROW = {
    "device_id": str, "stage": int, "status": str, "attempt": int, "failures": int, "progress_pct": int,
    "error_code": (str, type(None)), "error_message": (str, type(None)), "skip_reason": (str, type(None)),
    "wait": (str, type(None)), "next_attempt_at": (str, type(None)), "queued_at": (str, type(None)),
    "dispatched_at": (str, type(None)), "started_at": (str, type(None)), "last_report_at": (str, type(None)),
    "completed_at": (str, type(None)), "created_at": str,
}  # fmt: skip
DEVICE = {
    "device_id": str, "device_type": str, "current_version": (str, type(None)), "attributes": dict,
    "last_seen_at": (str, type(None)), "created_at": str,
}  # fmt: skip
GROUP = {"group_id": str, "name": str, "description": (str, type(None)), "member_count": int, "created_at": str}
STATES = {"PENDING", "QUEUED", "DISPATCHED", "DOWNLOADING", "INSTALLING", "SUCCESS", "FAILED", "SKIPPED"}


def has(answer: dict[str, Any], fields: dict[str, Any]) -> None:
    """Every field is there with its type; more are no harm."""
    for name, kind in fields.items():
        assert name in answer, f"{name} is missing in {sorted(answer)}"
        assert isinstance(answer[name], kind), f"{name} is {answer[name]!r}"


@pytest.fixture(scope="module")
async def console(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {token('operator')}"}
    async with (
        behind_gateway(world, tmp_path_factory.mktemp("door")) as gateway,
        httpx.AsyncClient(base_url=gateway.url, headers=headers, trust_env=False, timeout=30) as client,
    ):
        yield client


async def test_firmware_is_registered_and_listed(world: World, console: httpx.AsyncClient) -> None:
    made = await console.post(f"{API}/firmware", json=world.new_firmware())
    assert made.status_code == 201
    has(made.json(), FIRMWARE)
    listed = (await console.get(f"{API}/firmware")).json()
    has(listed, LIST)
    assert made.json() in listed["firmware_versions"]


async def test_campaigns_are_listed_by_status_limit_and_offset(world: World, console: httpx.AsyncClient) -> None:
    ids = [(await world.campaign())["id"] for _ in range(3)]
    listed = (await console.get(f"{API}/ota/campaigns", params={"status": "CREATED", "limit": 1, "offset": 1})).json()
    has(listed, LIST)
    assert (listed["total"], listed["limit"], listed["offset"]) == (3, 1, 1)
    [campaign] = listed["campaigns"]
    assert campaign["id"] == ids[1]
    has(campaign, CAMPAIGN)
    assert set(campaign["status_breakdown"]) == STATES
    has(campaign["stages"][0], STAGE)


async def test_a_campaign_is_created_started_paused_watched_and_aborted(
    world: World, console: httpx.AsyncClient
) -> None:
    firmware, group = await world.firmware(), await world.group()
    body = {
        "name": "Winter", "firmware_version_id": firmware, "target_group_id": group, "rollout_strategy": "linear",
        "rollout_rate": 10, "abort_threshold": 0.1,
    }  # fmt: skip
    made = await console.post(f"{API}/ota/campaigns", json=body)
    assert made.status_code == 201
    path = f"{API}/ota/campaigns/{made.json()['id']}"
    for act, status in (("start", "RUNNING"), ("pause", "PAUSED"), ("start", "RUNNING"), ("abort", "ABORTED")):
        answer = await console.post(f"{path}/{act}")
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        has(answer.json(), CAMPAIGN)
    rows = (await console.get(f"{path}/devices")).json()
    has(rows, LIST)
    has(rows["devices"][0], ROW)
    has((await console.get(path)).json(), CAMPAIGN)


async def test_groups_and_devices_are_listed(world: World, console: httpx.AsyncClient) -> None:
    group = await world.group()
    for path, key, fields in (
        (f"{API}/device-groups", "groups", GROUP),
        (f"{API}/devices", "devices", DEVICE),
        (f"{API}/device-groups/{group}/members", "devices", DEVICE),
    ):
        listed = (await console.get(path)).json()
        has(listed, LIST)
        has(listed[key][0], fields)


async def test_the_short_paths_are_the_same(world: World, console: httpx.AsyncClient) -> None:
    await world.campaign()
    for path in ("firmware", "ota/campaigns", "device-groups", "devices"):
        long, short = await console.get(f"{API}/{path}"), await console.get(f"/customer/{path}")
        assert (long.status_code, long.json()) == (short.status_code, short.json())


async def test_a_refusal_has_a_stable_code_and_the_field(console: httpx.AsyncClient) -> None:
    answer = await console.post(f"{API}/ota/campaigns", json={"name": "x", "rollout_rate": 0})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problem = {"type": str, "title": str, "status": int, "detail": str, "code": str, "request_id": str, "errors": list}
    has(answer.json(), problem)
    assert {error["field"] for error in answer.json()["errors"]} >= {"rollout_rate", "firmware_version_id"}
