"""Row level security by itself: what the services' roles reach of another tenant when no statement names the tenant."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.api.operations import request
from tests.api.world import World
from tests.real_parts import Database

ROLES = ("catalog_svc", "campaign_svc")


@pytest.fixture(scope="module", autouse=True)
async def _something_of_acme_in_every_table(world: World) -> None:
    campaign = await world.campaign("RUNNING")
    await world.sql.execute("UPDATE devices SET last_seen_at = now(), current_version = '1'")
    await world.sql.execute(
        """INSERT INTO ota_campaign_history (campaign_id, number, tenant_id, at, promised, counts, failed_attempts)
           VALUES ($1, 1, 'acme', now(), 0, '{}', 0)""",
        campaign["id"],
    )
    await (await request("PATCH /customer/firmware/{firmware_id}", world)).send(world.api)
    keyed = world.api.with_headers(idempotency_key="k")
    await (await request("POST /customer/devices", world)).send(keyed)


@pytest.fixture(params=ROLES)
async def foreign(request: pytest.FixtureRequest, postgres: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a service's role, in a transaction of the tenant `other`."""
    connection = await asyncpg.connect(postgres.dsn_of(request.param))
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('app.tenant_id', 'other', true)")
            yield connection
    finally:
        await connection.close()


async def tenant_tables(world: World) -> dict[str, int]:
    """Every table with a tenant, and how many rows of acme it has."""
    names = await world.sql.fetch(
        """SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1"""
    )
    return {
        row["relname"]: await world.sql.fetchval(f"SELECT count(*) FROM {row['relname']} WHERE tenant_id = 'acme'")
        for row in names
    }


async def attempt(connection: asyncpg.Connection, statement: str, *values: object) -> object:
    """The statement's outcome, or "refused" where the role has no right to it or the row is not its tenant's."""
    try:
        async with connection.transaction():
            return await connection.execute(statement, *values)
    except asyncpg.InsufficientPrivilegeError:
        return "refused"


async def test_every_table_with_a_tenant_is_forced_to_be_protected(world: World) -> None:
    tables = await tenant_tables(world)
    assert len(tables) >= 11
    assert all(tables.values()), tables
    open_ones = await world.sql.fetch(
        "SELECT relname FROM pg_class WHERE relname = ANY ($1) AND NOT (relrowsecurity AND relforcerowsecurity)",
        list(tables),
    )
    assert open_ones == []


async def test_no_row_of_another_tenant_is_seen_changed_or_deleted(world: World, foreign: asyncpg.Connection) -> None:
    for table in await tenant_tables(world):
        assert await attempt(foreign, f"SELECT tenant_id FROM {table}") in ("SELECT 0", "refused"), table
        assert await attempt(foreign, f"UPDATE {table} SET tenant_id = 'other'") in ("UPDATE 0", "refused"), table
        assert await attempt(foreign, f"DELETE FROM {table}") in ("DELETE 0", "refused"), table


async def test_no_row_can_be_put_under_another_tenant(world: World, foreign: asyncpg.Connection) -> None:
    for table in await tenant_tables(world):
        row = await world.sql.fetchval(f"SELECT to_jsonb(t) FROM {table} t WHERE tenant_id = 'acme' LIMIT 1")
        columns = await _given(world, table)
        copy = f"""INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
                   SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1)"""
        assert await attempt(foreign, copy, json.dumps(row)) == "refused", table


async def _given(world: World, table: str) -> str:
    """The columns whose values are not computed from others."""
    names = """SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"""
    return str(await world.sql.fetchval(names, table))


async def test_without_a_tenant_nothing_is_seen(world: World, foreign: asyncpg.Connection) -> None:
    """With one's own tenant something is, so that this says something."""
    for tenant, sees in (("", False), ("acme", True)):
        await foreign.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)
        seen = {table: await attempt(foreign, f"SELECT tenant_id FROM {table}") for table in await tenant_tables(world)}
        assert any(found not in ("SELECT 0", "refused") for found in seen.values()) == sees
