"""`/customer/firmware` on the real database, under the service's own role."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from catalog_svc.main import build
from pulse.runtime import db
from tests.real_parts import Database
from tests.rest import Caller, caller, token, verifier

PATH = "/customer/firmware"
NEW = {
    "version": "2.1.0",
    "description": "Fixes the radio",
    "file_url": "https://files.example.com/gw2-2.1.0.bin",
    "file_size_bytes": 123_456,
    "checksum_sha256": "AB" * 32,
    "device_type": "gw2",
}


@pytest.fixture(scope="module")
async def api(postgres: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    folder: Path = tmp_path_factory.mktemp("auth")
    async with db.pool(postgres.dsn_of("catalog_svc"), size=4) as pool:
        yield caller(build(pool, verifier(folder)))


async def test_a_registered_version_is_answered_found_and_listed(api: Caller) -> None:
    made = await api.post(PATH, NEW | {"version": "1.0.0"}, status=201)
    assert made["status"] == "ACTIVE"
    assert made["created_by"] == "operator@acme"
    assert made["checksum_sha256"] == "ab" * 32
    assert made["created_at"].endswith("Z")
    assert len(made["created_at"]) == len("2026-11-24T12:00:00.000000Z")
    assert await api.get(f"{PATH}/{made['id']}") == made
    listed = await api.get(PATH)
    assert made in listed["firmware_versions"]
    assert {"total", "total_capped", "limit", "offset", "next"} < listed.keys()


async def test_the_same_version_again_is_a_conflict_but_not_for_another_device_type(api: Caller) -> None:
    new = NEW | {"version": "3.0.0"}
    await api.post(PATH, new, status=201)
    assert await api.refused("POST", PATH, new) == (409, "duplicate_version", ["version"])
    await api.post(PATH, new | {"device_type": "gw3"}, status=201)
    await api.post(PATH, new | {"device_type": None}, status=201)
    assert await api.refused("POST", PATH, new | {"device_type": None}) == (409, "duplicate_version", ["version"])
    await api.as_(tenant="other").post(PATH, new, status=201)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"version": ""}, "version"),
        ({"version": "  "}, "version"),
        ({"version": "1\0"}, "version"),
        ({"version": "v" * 101}, "version"),
        ({"file_url": "ftp://x/y"}, "file_url"),
        ({"file_url": "https:///y"}, "file_url"),
        ({"file_url": "https://x:99999/y"}, "file_url"),
        ({"file_url": "https://x/%00"}, "file_url"),
        ({"file_url": "https://user:secret@x/y"}, "file_url"),
        ({"file_size_bytes": 0}, "file_size_bytes"),
        ({"file_size_bytes": "big"}, "file_size_bytes"),
        ({"checksum_sha256": "ab"}, "checksum_sha256"),
        ({"device_type": "a/b"}, "device_type"),
        ({"device_type": "a#"}, "device_type"),
        ({"description": "a\0b"}, "description"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_field_is_named(api: Caller, wrong: dict[str, object], field: str) -> None:
    status, _, fields = await api.refused("POST", PATH, NEW | wrong)
    assert (status, fields) == (422, [field])


async def test_an_address_is_kept_with_scheme_and_host_in_lower_case(api: Caller) -> None:
    made = await api.post(PATH, NEW | {"version": "1.1.0", "file_url": "HTTPS://Files.Example.com/GW2.bin"}, status=201)
    assert made["file_url"] == "https://files.example.com/GW2.bin"


async def test_a_refused_address_is_told_the_rule(api: Caller) -> None:
    answer = await api.ask("POST", PATH, NEW | {"file_url": "https://x:abc/y"})
    assert answer.json()["errors"] == [
        {"field": "file_url", "code": "invalid", "detail": "must have a port from 1 to 65535 after the colon"}
    ]


async def test_a_missing_field_is_named(api: Caller) -> None:
    status, code, fields = await api.refused("POST", PATH, {"version": "1"})
    assert (status, code) == (422, "invalid")
    assert set(fields) == {"file_url", "file_size_bytes", "checksum_sha256"}


async def test_bodies_that_cannot_be_read_or_are_too_large_are_refused(api: Caller) -> None:
    headers = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    broken = await api.client.post(PATH, content=b'{"version":', headers=headers)
    assert (broken.status_code, broken.json()["code"]) == (400, "unreadable")
    large = await api.client.post(PATH, content=b" " * (4 * 1024 * 1024 + 1), headers=headers)
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    surrogate = await api.client.post(PATH, content=b'{"version":"\\ud800"}', headers=headers)
    assert (surrogate.status_code, surrogate.json()["code"]) in {(422, "invalid"), (400, "unreadable")}


async def test_a_list_is_paged_by_cursor_and_by_offset_and_searched(api: Caller) -> None:
    lister = api.as_(tenant="pages")
    for n in range(5):
        await lister.post(PATH, NEW | {"version": f"1.{n}", "description": "100% _new_"}, status=201)
    first = await lister.get(PATH, limit=2)
    assert [f["version"] for f in first["firmware_versions"]] == ["1.4", "1.3"]
    assert first["total"] == 5
    second = await lister.get(PATH, limit=2, after=first["next"])
    assert [f["version"] for f in second["firmware_versions"]] == ["1.2", "1.1"]
    last = await lister.get(PATH, limit=2, offset=4)
    assert ([f["version"] for f in last["firmware_versions"]], last["next"]) == (["1.0"], None)
    assert (await lister.get(PATH, search="100%"))["total"] == 5
    assert (await lister.get(PATH, search="1_0"))["total"] == 0
    assert (await lister.get(PATH, device_type="gw9"))["total"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"offset": 10_001}, "offset"),
        ({"after": "nonsense"}, "after"),
        ({"after": "WyJhIl0"}, "after"),
        ({"after": "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd"}, "after"),  # [9223372036854775808]
        ({"search": "\0"}, "search"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Caller, query: dict[str, object], field: str) -> None:
    status, _, fields = await api.refused("GET", PATH, **query)
    assert (status, fields) == (422, [field])


async def test_withdrawing_is_for_good_and_again_is_harmless(api: Caller) -> None:
    made = await api.post(PATH, NEW | {"version": "4.0.0"}, status=201)
    withdrawn = await api.post(f"{PATH}/{made['id']}/withdraw", {"reason": "bricks"})
    assert withdrawn["status"] == "WITHDRAWN"
    assert withdrawn["campaigns_paused"] == []
    again = await api.as_("admin").post(f"{PATH}/{made['id']}/withdraw", {"reason": "another"})
    assert again == withdrawn
    assert await api.refused("POST", f"{PATH}/{made['id']}/withdraw", {}) == (422, "invalid", ["reason"])


async def test_a_withdrawn_version_says_by_whom_when_and_why_wherever_it_is_shown(api: Caller) -> None:
    made = await api.post(PATH, NEW | {"version": "4.1.0"}, status=201)
    assert (made["withdrawn_at"], made["withdrawn_by"], made["withdrawn_reason"]) == (None, None, None)
    withdrawn = await api.post(f"{PATH}/{made['id']}/withdraw", {"reason": "bricks the radio"})
    assert (withdrawn["withdrawn_by"], withdrawn["withdrawn_reason"]) == ("operator@acme", "bricks the radio")
    del withdrawn["campaigns_paused"]
    assert await api.get(f"{PATH}/{made['id']}") == withdrawn
    assert withdrawn in (await api.get(PATH, search="4.1.0"))["firmware_versions"]


async def test_another_tenants_version_is_not_there(api: Caller) -> None:
    made = await api.post(PATH, NEW | {"version": "5.0.0"}, status=201)
    foreign = api.as_(tenant="other")
    for method, end, body in (
        ("GET", "", None),
        ("POST", "/withdraw", {"reason": "x"}),
        ("POST", "/check", None),
        ("PATCH", "", {"description": "x"}),
    ):
        path = f"{PATH}/{made['id']}{end}"
        assert await foreign.refused(method, path, body) == (404, "firmware_not_found", [])


@pytest.mark.parametrize("firmware_id", ["0", "-1", "x", str(2**63)])
async def test_an_id_that_cannot_be_is_named(api: Caller, firmware_id: str) -> None:
    status, _, fields = await api.refused("GET", f"{PATH}/{firmware_id}")
    assert (status, fields) == (422, ["firmware_id"])


async def test_roles_bound_what_a_token_may_do(api: Caller) -> None:
    for role in ("viewer", "approver"):
        assert (await api.as_(role).refused("POST", PATH, NEW))[:2] == (403, "forbidden")
        await api.as_(role).get(PATH)
    assert (await api.as_("nobody").refused("GET", PATH))[:2] == (403, "forbidden")
    await api.as_("admin").post(PATH, NEW | {"version": "6.0.0"}, status=201)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"aud": "other"},
        {"nbf": 4_000_000_000},
        {"tenant_id": None},
        {"tenant_id": "a/b"},
        {"roles": "operator"},
        {"sub": ""},
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(api: Caller, claims: dict[str, object]) -> None:
    assert await Caller(api.client, token(**claims)).refused("GET", PATH) == (401, "unauthenticated", [])  # type: ignore[arg-type]  # claims of any kind are the point


async def test_no_token_or_a_forged_one_is_refused(api: Caller) -> None:
    bare = await api.client.get(PATH)
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."
    for bearer in ("x", unsigned, token()[:-3] + "abc", ""):
        assert (await Caller(api.client, bearer).refused("GET", PATH))[:2] == (401, "unauthenticated")


@pytest.mark.parametrize(
    "change",
    [
        "checksum_sha256 = repeat('cd', 32)",
        "file_size_bytes = 1",
        "version = '7.0.1'",
        "device_type = NULL",
        "tenant_id = 'other'",
        "created_by = 'x'",
        "created_at = now()",
        "file_url = 'http://x', file_size_bytes = 1",
        "withdrawn_by = 'x'",
        "withdrawn_reason = 'x'",
        "status = 'WITHDRAWN', withdrawn_at = now(), file_url = 'http://x'",
    ],
)
async def test_the_database_itself_keeps_what_a_version_is(api: Caller, postgres: Database, change: str) -> None:
    made = await api.post(PATH, NEW | {"version": f"7: {change}"[:100]}, status=201)
    owner = await asyncpg.connect(postgres.dsn)
    try:
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(f"UPDATE firmware_versions SET {change} WHERE id = $1", made["id"])
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute("DELETE FROM firmware_versions WHERE id = $1", made["id"])
    finally:
        await owner.close()


async def test_the_database_itself_keeps_a_withdrawn_version_as_it_is(api: Caller, postgres: Database) -> None:
    made = await api.post(PATH, NEW | {"version": "7.1.0"}, status=201)
    await api.post(f"{PATH}/{made['id']}/withdraw", {"reason": "x"})
    owner = await asyncpg.connect(postgres.dsn)
    try:
        for change in ("status = 'ACTIVE'", "file_url = 'http://x'", "description = 'x'", "withdrawn_reason = 'y'"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(f"UPDATE firmware_versions SET {change} WHERE id = $1", made["id"])
    finally:
        await owner.close()


async def test_row_level_security_holds_where_the_query_forgets_the_tenant(api: Caller, postgres: Database) -> None:
    await api.post(PATH, NEW | {"version": "8.0.0"}, status=201)
    async with db.pool(postgres.dsn_of("catalog_svc"), size=1) as pool:
        async with db.transaction(pool, "nobody") as conn:
            assert await conn.fetchval("SELECT count(*) FROM firmware_versions") == 0
        async with db.transaction(pool) as conn:
            assert await conn.fetchval("SELECT count(*) FROM firmware_versions") == 0
        async with db.transaction(pool, "acme") as conn:
            assert await conn.fetchval("SELECT count(*) FROM firmware_versions") > 0
