"""A POST that is repeated with its Idempotency-Key is done once and answered the same, whatever dies in between."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.api.operations import OPERATIONS, Request, request
from tests.api.world import CAMPAIGNS, DEVICES, World

POSTS = [name for name in OPERATIONS if name.startswith(("POST", "PATCH"))]


@pytest.mark.parametrize("name", POSTS)
async def test_a_repeat_of_any_post_is_answered_as_the_first_one(world: World, name: str) -> None:
    admin = world.api.as_("admin").with_headers(idempotency_key=world.name())
    wanted = await request(name, world)
    first, again = await wanted.send(admin), await wanted.send(admin)
    assert first.status_code == OPERATIONS[name].status, first.text
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]


async def test_a_repeated_creation_creates_once(world: World) -> None:
    body = await world.new_campaign()
    keyed = world.api.with_headers(idempotency_key="create-once")
    made = [await keyed.post(CAMPAIGNS, body, status=201) for _ in range(3)]
    assert len({one["id"] for one in made}) == 1
    assert (await world.api.get(CAMPAIGNS, search=body["name"]))["total"] == 1
    assert (await world.api.post(CAMPAIGNS, body, status=201))["id"] != made[0]["id"]


async def test_a_repeat_is_answered_the_same_when_the_campaigns_end_has_passed_since(world: World) -> None:
    body = await world.new_campaign(end_at=(datetime.now(UTC) + timedelta(seconds=2)).isoformat())
    creating, starting, pausing, resuming = (world.api.with_headers(idempotency_key=world.name()) for _ in range(4))
    made = await creating.post(CAMPAIGNS, body, status=201)
    path = f"{CAMPAIGNS}/{made['id']}"
    controls = [(starting, f"{path}/start"), (pausing, f"{path}/pause"), (resuming, f"{path}/start")]
    answers = [await keyed.post(control) for keyed, control in controls]
    await asyncio.sleep(2)
    again = await creating.ask("POST", CAMPAIGNS, body)
    assert (again.status_code, again.json()) == (201, made)
    for (keyed, control), answer in zip(controls, answers, strict=True):
        assert await keyed.post(control) == answer
    for other in (world.api, world.api.with_headers(idempotency_key=world.name())):
        assert await other.refused("POST", CAMPAIGNS, body) == (422, "invalid", ["end_at"])
        assert await other.refused("POST", f"{CAMPAIGNS}?preview=true", body) == (422, "invalid", ["end_at"])


@pytest.mark.parametrize("other", ["body", "path", "query", "csv"])
async def test_the_same_key_for_another_request_is_refused(world: World, other: str) -> None:
    key = world.name()
    keyed = world.api.with_headers(idempotency_key=key)
    await keyed.post(DEVICES, {"device_id": key, "device_type": "gw2"}, status=201)
    again = {
        "body": Request("POST", DEVICES, {"device_id": key, "device_type": "gw3"}),
        "path": Request("POST", f"{DEVICES}/bulk", {"devices": [{"device_id": key, "device_type": "gw2"}]}),
        "query": Request("POST", f"{DEVICES}?x=1", {"device_id": key, "device_type": "gw2"}),
        "csv": Request("POST", f"{DEVICES}/import", f"device_id,device_type\n{key},gw9\n"),
    }[other]
    answer = await again.send(keyed)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_mismatch")
    assert (await world.api.get(f"{DEVICES}/{key}"))["device_type"] == "gw2"


async def test_keys_are_each_tenants_own(world: World) -> None:
    body = {"device_id": world.name(), "device_type": "gw2"}
    for tenant in ("acme", "other"):
        await world.api.as_(tenant=tenant).with_headers(idempotency_key="shared").post(DEVICES, body, status=201)


async def test_a_refusal_is_not_kept_so_its_repeat_is_tried_anew(world: World) -> None:
    made = await world.campaign()
    keyed = world.api.with_headers(idempotency_key=world.name())
    path = f"{CAMPAIGNS}/{made['id']}/pause"
    assert (await keyed.refused("POST", path))[:2] == (409, "wrong_state")
    await world.api.post(f"{CAMPAIGNS}/{made['id']}/start")
    assert (await keyed.post(path))["status"] == "PAUSED"


async def test_twins_at_the_same_moment_do_the_work_once(world: World) -> None:
    body = await world.new_campaign(target_group_id=await world.group(500))
    keyed = world.api.with_headers(idempotency_key=world.name())
    answers = await asyncio.gather(*(keyed.ask("POST", CAMPAIGNS, body) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 5


async def test_a_process_killed_before_its_commit_leaves_the_repeat_to_do_the_work(world: World) -> None:
    body = await world.new_campaign()
    keyed = world.api.with_headers(idempotency_key="killed")
    async with world.sql.acquire() as lock, lock.transaction():
        await lock.execute("SELECT FROM device_groups WHERE group_id = $1 FOR UPDATE", body["target_group_id"])
        async with asyncio.TaskGroup() as group:
            killed = group.create_task(keyed.ask("POST", CAMPAIGNS, body))
            await _terminate_when_waiting(world)
    assert killed.result().status_code == 503
    assert (await world.api.get(CAMPAIGNS, search=body["name"]))["total"] == 0
    assert (await keyed.ask("POST", CAMPAIGNS, body)).status_code == 201
    assert (await keyed.ask("POST", CAMPAIGNS, body)).status_code == 201
    assert (await world.api.get(CAMPAIGNS, search=body["name"]))["total"] == 1


async def _terminate_when_waiting(world: World) -> None:
    """Ends the session that waits for a lock, as the end of its process does."""
    async with asyncio.timeout(10):
        while not await world.sql.fetchval(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND usename = 'campaign_svc' AND datname = current_database()"""
        ):
            await asyncio.sleep(0.02)


async def test_a_process_killed_between_commit_and_announcement_answers_pending_to_the_repeat(world: World) -> None:
    made = await world.campaign()
    path = f"{CAMPAIGNS}/{made['id']}/start"
    keyed = world.api.with_headers(idempotency_key="start-once")
    await keyed.post(path)
    await world.sql.execute(  # what the first transaction had committed
        """UPDATE idempotency_keys SET status = 202, answer = replace(answer, '"announced"', '"pending"')
            WHERE key = 'start-once'"""
    )
    answer = await keyed.ask("POST", path)
    assert (answer.status_code, answer.json()["control"], answer.json()["epoch"]) == (202, "pending", 1)
    assert (await world.api.get(f"{CAMPAIGNS}/{made['id']}"))["epoch"] == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "é"])
async def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    body = {"device_id": world.name(), "device_type": "gw2"}
    headers = httpx.Headers(world.api.headers | {"idempotency-key": key}, encoding="latin-1")
    answer = await world.api.client.post(DEVICES, json=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "idempotency-key")


async def test_a_preview_and_a_dry_run_use_no_key_up(world: World) -> None:
    body = await world.new_campaign()
    keyed = world.api.with_headers(idempotency_key=world.name())
    await keyed.post(CAMPAIGNS, body, preview=True)
    await keyed.post(CAMPAIGNS, body, status=201)
    keyed, csv = world.api.with_headers(idempotency_key=world.name()), f"device_id,device_type\n{world.name()},x\n"
    for dry_run in (True, False):
        assert (await keyed.upload(f"{DEVICES}/import", csv, dry_run=dry_run)).json()["created"] == 1
