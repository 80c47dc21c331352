"""`PATCH /customer/firmware/{id}` and what addresses answer: on the real database, with real little file servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from catalog_svc.file_check import FileCheck
from catalog_svc.main import build
from pulse.runtime import db
from tests.catalog_svc.file_servers import Asked, FileServer, head, serving
from tests.catalog_svc.test_firmware_api import NEW, PATH
from tests.real_parts import Database
from tests.rest import Caller, caller, verifier

SIZE = NEW["file_size_bytes"]


@pytest.fixture(scope="module")
async def api(postgres: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """Addresses of this machine are asked, as in the local stack."""
    folder: Path = tmp_path_factory.mktemp("auth")
    files = FileCheck((ip_network("127.0.0.1/32"),))
    async with db.pool(postgres.dsn_of("catalog_svc"), size=4) as pool:
        yield caller(build(pool, verifier(folder), files=files))


def right(*_: object) -> bytes:
    return head(200, Content_Length=SIZE)


async def registered(api: Caller, version: str, url: str = "http://10.0.0.1/f", **more: object) -> dict[str, Any]:
    made: dict[str, Any] = await api.post(PATH, NEW | {"version": version, "file_url": url} | more, status=201)
    return made


async def patched(api: Caller, firmware: dict[str, Any], **change: object) -> dict[str, Any]:
    answer = await api.ask("PATCH", f"{PATH}/{firmware['id']}", change)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_wrong_address_is_put_right_and_who_and_when_is_kept(api: Caller) -> None:
    made = await registered(api, "1.0.0", "http://10.0.0.1/wrong")
    assert made["changes"] == []
    admin = api.as_("admin")
    async with serving(right) as server:
        changed = await patched(admin, made, file_url=server.url("/right"))
        [change] = changed["changes"]
        assert change.pop("at") >= made["created_at"]
        assert change == {
            "by": "admin@acme",
            "field": "file_url",
            "old": "http://10.0.0.1/wrong",
            "new": server.url("/right"),
        }
    assert changed["address"].pop("checked_at") > made["created_at"]
    assert changed["address"] == {"reachable": True, "status": 200, "size_bytes": SIZE, "warning": None}
    for same in ("id", "version", "device_type", "file_size_bytes", "checksum_sha256", "created_at", "created_by"):
        assert changed[same] == made[same]
    seen = await api.get(f"{PATH}/{made['id']}")
    assert (seen["file_url"], len(seen["changes"])) == (server.url("/right"), 1)
    assert seen in (await api.get(PATH))["firmware_versions"]


async def test_a_description_is_changed_and_taken_away_without_asking_the_address(api: Caller) -> None:
    async with serving(right) as server:
        made = await registered(api, "1.1.0", server.url())
        changed = await patched(api, made, description="For the new radio")
        cleared = await patched(api, made, description=None)
        assert server.methods == ["HEAD"]
    assert (changed["description"], cleared["description"]) == ("For the new radio", None)
    assert [(one["old"], one["new"]) for one in cleared["changes"]] == [
        ("For the new radio", None),
        ("Fixes the radio", "For the new radio"),
    ]
    assert cleared["address"] == made["address"]


@pytest.mark.parametrize(
    "nothing", [{}, {"file_url": "http://10.0.0.1/f"}, {"file_url": None}, {"description": "Fixes the radio"}]
)
async def test_a_change_of_nothing_is_answered_and_leaves_no_history(api: Caller, nothing: dict[str, object]) -> None:
    made = await registered(api, f"1.2 {nothing}")
    assert await patched(api, made, **nothing) == made


@pytest.mark.parametrize("field", ["version", "device_type", "file_size_bytes", "checksum_sha256"])
async def test_what_says_what_the_file_is_cannot_be_changed(api: Caller, field: str) -> None:
    made = await registered(api, f"1.3 {field}")
    answer = await api.ask("PATCH", f"{PATH}/{made['id']}", {field: made[field], "description": "x"})
    assert answer.status_code == 422
    rule = "says what the file is and never changes; register another version"
    assert answer.json()["errors"] == [{"field": field, "code": "cannot_change", "detail": rule}]
    assert await api.get(f"{PATH}/{made['id']}") == made


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"file_url": "http://x:0/f"}, "file_url"),
        ({"file_url": ""}, "file_url"),
        ({"description": "\0"}, "description"),
        ({"colour": "red"}, "colour"),
        ({"status": "WITHDRAWN"}, "status"),
    ],
)
async def test_a_wrong_change_is_named(api: Caller, wrong: dict[str, object], field: str) -> None:
    made = await registered(api, f"1.4 {wrong}")
    status, _, fields = await api.refused("PATCH", f"{PATH}/{made['id']}", wrong)
    assert (status, fields) == (422, [field])


async def test_only_an_operator_changes_and_checks(api: Caller) -> None:
    made = await registered(api, "1.5.0")
    for role in ("viewer", "approver"):
        reader = api.as_(role)
        for method, path, body in (
            ("PATCH", f"{PATH}/{made['id']}", {"description": "x"}),
            ("POST", f"{PATH}/{made['id']}/check", None),
            ("POST", f"{PATH}/check/address", {"file_url": "http://x/f", "file_size_bytes": 1}),
        ):
            assert (await reader.refused(method, path, body))[:2] == (403, "forbidden")


async def test_a_withdrawn_version_is_neither_changed_nor_checked(api: Caller) -> None:
    made = await registered(api, "1.6.0")
    await api.post(f"{PATH}/{made['id']}/withdraw", {"reason": "bricks"})
    for method, end, body in (("PATCH", "", {"description": "x"}), ("POST", "/check", None)):
        answer = await api.ask(method, f"{PATH}/{made['id']}{end}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "firmware_withdrawn")
        assert answer.json()["detail"] == "firmware version 1.6.0 was withdrawn by operator@acme: bricks"


async def test_the_history_that_is_shown_is_the_last_twenty_changes(api: Caller) -> None:
    made = await registered(api, "1.7.0")
    for n in range(22):
        changed = await patched(api, made, description=f"try {n}")
    assert [one["new"] for one in changed["changes"]] == [f"try {n}" for n in range(21, 1, -1)]


async def test_changes_at_the_same_moment_follow_one_another(api: Caller) -> None:
    made = await registered(api, "1.8.0")
    await asyncio.gather(*(patched(api, made, description=f"{n}") for n in range(5)))
    changes = (await api.get(f"{PATH}/{made['id']}"))["changes"]
    assert len(changes) == 5
    assert [one["old"] for one in changes] == [*(one["new"] for one in changes[1:]), "Fixes the radio"]


async def test_a_version_may_be_registered_before_its_file_is_there_with_a_warning(api: Caller) -> None:
    async with serving(lambda *_: head(404, Content_Length=0)) as server:
        made = await registered(api, "2.0.0", server.url())
    assert made["status"] == "ACTIVE"
    assert made["address"].pop("checked_at")
    warning = {"code": "bad_status", "detail": "it answers 404, not the file"}
    assert made["address"] == {"reachable": False, "status": 404, "size_bytes": None, "warning": warning}
    async with serving(right) as later:
        changed = await patched(api, made, file_url=later.url())
    assert changed["address"]["warning"] is None


async def test_an_address_is_asked_again_once_the_file_is_there(api: Caller) -> None:
    there = False

    def answer(_: FileServer, __: Asked) -> bytes:
        return right() if there else head(404, Content_Length=0)

    async with serving(answer) as server:
        made = await registered(api, "2.1.0", server.url())
        there = True
        checked = await api.post(f"{PATH}/{made['id']}/check")
    assert (made["address"]["reachable"], checked["address"]["reachable"]) == (False, True)
    assert checked["address"]["checked_at"] > made["address"]["checked_at"]
    assert await api.get(f"{PATH}/{made['id']}") == checked
    assert checked["changes"] == []


async def test_an_address_is_asked_before_a_version_is_registered_and_nothing_is_kept(api: Caller) -> None:
    before = (await api.get(PATH))["total"]
    async with serving(lambda *_: head(200, Content_Length=9)) as server:
        seen = await api.post(f"{PATH}/check/address", {"file_url": server.url(), "file_size_bytes": SIZE})
    assert (seen["reachable"], seen["size_bytes"], seen["warning"]["code"]) == (True, 9, "size_mismatch")
    assert (await api.get(PATH))["total"] == before


async def test_an_address_in_the_own_network_is_not_asked_and_the_version_is_registered(api: Caller) -> None:
    made = await registered(api, "2.2.0", "http://169.254.169.254/latest/meta-data/")
    assert (made["address"]["reachable"], made["address"]["warning"]["code"]) == (None, "not_checked")


@asynccontextmanager
async def being_registered(
    api: Caller, version: str
) -> AsyncIterator[tuple[dict[str, Any], asyncio.Task[dict[str, Any]]]]:
    """A version whose address is being asked, for 3 s; and what its registration will be answered."""
    async with serving(None) as server, asyncio.TaskGroup() as group:
        registering = group.create_task(registered(api, version, server.url()))
        while not server.asked:
            await asyncio.sleep(0.01)
        [made] = (await api.get(PATH, search=version))["firmware_versions"]
        yield made, registering


async def test_nothing_is_held_open_in_the_database_while_an_address_is_asked(api: Caller, postgres: Database) -> None:
    async with db.pool(postgres.dsn, size=1) as sql, being_registered(api, "2.3.0") as (made, _):
        assert made["address"]["warning"]["code"] == "not_checked"
        busy = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'catalog_svc' AND state LIKE 'idle in%'"
        assert await sql.fetchval(busy) == 0


async def test_what_an_old_address_answers_is_not_kept_for_a_new_one(api: Caller) -> None:
    async with being_registered(api, "2.4.0") as (made, registering), serving(right) as new:
        await patched(api, made, file_url=new.url())
    answered = registering.result()
    assert (answered["file_url"], answered["address"]["reachable"]) == (new.url(), True)


async def test_a_version_withdrawn_while_its_address_is_asked_stays_withdrawn(api: Caller) -> None:
    async with being_registered(api, "2.5.0") as (made, registering):
        await api.post(f"{PATH}/{made['id']}/withdraw", {"reason": "bricks"})
    answered = registering.result()
    assert (answered["status"], answered["withdrawn_reason"]) == ("WITHDRAWN", "bricks")


async def test_a_repeated_change_is_done_once(api: Caller) -> None:
    made = await registered(api, "2.6.0")
    keyed = api.with_headers(idempotency_key="change-once")
    first = await patched(keyed, made, description="once")
    await patched(api, made, description="later")
    assert await patched(keyed, made, description="once") == first
    assert (await api.get(f"{PATH}/{made['id']}"))["description"] == "later"
