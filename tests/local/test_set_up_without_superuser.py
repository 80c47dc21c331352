"""The set-up as managed databases allow it: by their owner, who may make roles and is no superuser; on 15 and on 18."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from campaign_svc.announce import Announcer
from campaign_svc.engine.engine import Engine
from campaign_svc.engine.progress import Progress
from campaign_svc.engine.rollout import Rollout
from local_stack import postgres15
from local_stack.child import run
from local_stack.layout import DEPLOY
from local_stack.ports import free_ports
from local_stack.postgres import SUPERUSER, Postgres, binaries, of_the_wheel
from pulse.contracts.kafka import REQUESTS
from pulse.contracts.status import Event, Heard
from pulse.runtime import db
from pulse.runtime.errors import StartRefused
from pulse.runtime.kafka import producer
from pulse.runtime.kafka_cluster import Cluster
from pulse_setup.job import set_up_database
from pulse_setup.migrations import read
from pulse_setup.settings import MIGRATIONS, SetupSettings
from status_ingest_svc import store
from status_ingest_svc.store import Backoff, Sighting
from tests.api.world import CAMPAIGNS, world
from tests.campaign_svc.rows import settings
from tests.local import catalog, lively
from tests.real_parts import ROLES, Database, RunningPart, Topics

OWNER, OTHER = "installer", "other_owner"
VERSIONS = ("15", "18")
PASSWORDS = ("catalog_db_password", "campaign_db_password", "campaign_loops_db_password", "ingest_db_password")


def settings_for(database: Database, owner: str = OWNER, **more: Any) -> SetupSettings:
    return SetupSettings(postgres_dsn=database.dsn_of(owner), kafka_bootstrap="nowhere:9092", **more)


async def as_superuser(database: Database, *statements: str) -> None:
    connection = await asyncpg.connect(database.cluster.dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def connected(database: Database, role: str = SUPERUSER) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn_of(role))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="module", params=VERSIONS)
async def managed(request: pytest.FixtureRequest, parts_dir: Path) -> AsyncIterator[Database]:
    """An empty database on a server of its own, and its owner, who may make roles."""
    version = str(request.param)
    [port] = free_ports(1)
    secret = parts_dir / "secrets" / f"postgres-{version}"
    programs = of_the_wheel() if version == "18" else postgres15.unpacked(parts_dir / "postgres-15-programs")
    cluster = Postgres(parts_dir / f"postgres-{version}", port, secret, programs)
    process = RunningPart(await cluster.prepare(), parts_dir / "logs" / f"postgres-{version}.log")
    try:
        await process.start()
        passwords = {role: secrets.token_hex(16) for role in (*ROLES, OWNER, OTHER)}
        database = Database("managed", cluster, passwords | {SUPERUSER: secret.read_text()})
        await as_superuser(
            database,
            f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{passwords[OWNER]}'",
            f"CREATE ROLE {OTHER} LOGIN PASSWORD '{passwords[OTHER]}'",
            f"CREATE DATABASE managed OWNER {OWNER}",
        )
        yield database
    finally:
        await process.stop()


@pytest.fixture(scope="module")
async def said(managed: Database) -> list[str]:
    """What the first set-up said."""
    lines: list[str] = []
    given = zip(PASSWORDS, (managed.passwords[role] for role in ROLES), strict=True)
    await set_up_database(settings_for(managed, **dict(given)), lines.append)
    return lines


@pytest.fixture(scope="module")
async def ready(managed: Database, said: list[str]) -> Database:
    """It has been set up; campaigns have numbers that no other database of the run's Kafka has."""
    assert said
    async with connected(managed) as connection:
        await connection.execute(f"ALTER TABLE ota_campaigns ALTER COLUMN id RESTART WITH {time.time_ns() // 1000}")
    return managed


async def test_the_owner_of_the_database_sets_it_up_once(managed: Database, said: list[str]) -> None:
    assert said == [f"applied {migration.file}" for migration in read(MIGRATIONS)]
    async with connected(managed, OWNER) as connection:
        assert await connection.fetchval("SELECT current_setting('is_superuser')") == "off"
        owners = await connection.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'ota%'")
        assert [row["tableowner"] for row in owners] == ["pulse_owner"]


async def test_the_owner_sets_it_up_again_and_nothing_changes(ready: Database) -> None:
    lines: list[str] = []
    async with connected(ready) as connection:
        before = await catalog.schema(connection)
        await set_up_database(settings_for(ready, campaign_db_password=ready.passwords["campaign_svc"]), lines.append)
        assert lines == []
        assert catalog.difference(before, await catalog.schema(connection)) == []


async def test_the_owner_pipes_each_file_into_psql_and_nothing_changes(ready: Database) -> None:
    async with connected(ready) as connection:
        before = await catalog.schema(connection)
        for migration in read(MIGRATIONS):
            printed = await run(str(binaries() / "psql"), "-X", ready.dsn_of(OWNER), stdin=migration.sql)
            assert "ERROR" not in printed, migration.file
        assert catalog.difference(before, await catalog.schema(connection)) == []


@pytest.mark.parametrize("role", ROLES)
async def test_each_service_logs_in_with_the_password_that_the_owner_set(ready: Database, role: str) -> None:
    async with connected(ready, role) as connection:
        assert await connection.fetchval("SELECT current_user") == role


async def test_the_schema_is_the_one_that_a_superuser_makes(ready: Database) -> None:
    await as_superuser(ready, "CREATE DATABASE by_superuser")
    other = Database("by_superuser", ready.cluster, ready.passwords)
    await set_up_database(settings_for(other, SUPERUSER), print)
    async with connected(ready) as one, connected(other) as another:
        differs = catalog.difference(await catalog.schema(one), await catalog.schema(another))
    assert [line for line in differs if "schema_migrations" not in line] == [], "the record is its maker's own"
    await as_superuser(ready, "DROP DATABASE by_superuser")


async def test_a_campaign_is_carried_out_by_the_services_roles(ready: Database, topics: Topics, tmp_path: Path) -> None:
    async with (
        world(ready, topics, tmp_path) as services,
        db.pool(ready.dsn_of("campaign_loops"), size=4) as loops,
        db.pool(ready.dsn_of("status_ingest_svc"), size=2) as ingest,
        producer(Cluster(topics.bootstrap)) as sender,
    ):
        told = settings()
        engine = Engine(
            loops,
            Progress(loops, Announcer(loops, sender, 2.0), told),
            Rollout(loops, sender, told, REQUESTS.partitions),
            told,
        )
        made = await services.api.post(CAMPAIGNS, await services.new_campaign(rollout_rate=6000), status=201)
        number = made["id"]
        await services.api.post(f"{CAMPAIGNS}/{number}/start")
        rows = f"{CAMPAIGNS}/{number}/devices"
        async with asyncio.timeout(20):  # the tick leaves a campaign alone while its start is being announced
            while (await services.api.get(rows, status="PENDING"))["devices"]:
                await engine.tick(number)
        names = [row["device_id"] for row in (await services.api.get(rows))["devices"]]
        for event in (Event.PUBLISHED, Event.DOWNLOADING, Event.SUCCESS):
            events = [Heard("acme", number, name, 1, event) for name in names]
            seen = [Sighting("acme", name) for name in names]
            async with db.statement(ingest) as connection:
                await store.apply(connection, events, seen, {number: 3}, Backoff(retry=60, offline=60))
        await engine.tick(number)
        done = await services.api.get(f"{CAMPAIGNS}/{number}")
        assert (done["status"], done["succeeded"]) == ("COMPLETED", 2)
        assert (await services.api.as_(tenant="other").ask("GET", f"{CAMPAIGNS}/{number}")).status_code == 404


async def test_the_owner_backs_it_up_and_restores_all_of_it(ready: Database, tmp_path: Path) -> None:
    async with connected(ready) as connection:
        await lively.fill(connection)
        rows = await catalog.data(connection)
        schema = await catalog.schema(connection)
    backup = tmp_path / "backup.dump"
    await run(
        str(binaries() / "pg_dump"), ready.dsn_of(OWNER), "--format=custom", "--enable-row-security", f"--file={backup}"
    )
    await as_superuser(ready, f"CREATE DATABASE restored OWNER {OWNER}")
    restored = Database("restored", ready.cluster, ready.passwords)
    async with connected(restored, OWNER) as connection:
        await connection.execute("GRANT USAGE, CREATE ON SCHEMA public TO pulse_owner")
    sql = await run(str(binaries() / "pg_restore"), "--file=-", str(backup))
    sql = sql.replace("SET transaction_timeout = 0;", "")  # the programs are 18's, which tell it to a server of 15, too
    await run(str(binaries() / "psql"), "-X", "-v", "ON_ERROR_STOP=1", restored.dsn_of(OWNER), stdin=sql)
    async with connected(restored) as connection:
        assert catalog.difference(rows, await catalog.data(connection)) == []
        assert catalog.difference(schema, await catalog.schema(connection)) == []
    await set_up_database(settings_for(restored), print)
    await after_restore(restored)
    await as_superuser(ready, "DROP DATABASE restored")


async def after_restore(database: Database) -> None:
    """The script that operations.md has run after a restore, by the owner; it reaches the rows of all tenants."""
    script = (DEPLOY / "setup" / "after-restore.sql").read_text(encoding="utf-8")
    async with connected(database) as connection:
        open_rows = "SELECT count(*) FROM ota_device_status WHERE status NOT IN ('SUCCESS', 'SKIPPED', 'FAILED')"
        unfinished = await connection.fetchval(open_rows)
        assert unfinished > 0
        await run(str(binaries() / "psql"), "-X", "-v", "ON_ERROR_STOP=1", database.dsn_of(OWNER), stdin=script)
        asked_again = "SELECT count(*) FROM ota_device_status WHERE status = 'PENDING' AND attempt >= 1000"
        assert await connection.fetchval(asked_again) == unfinished
        assert await lively.wrong_counters(connection) == []


async def test_an_owner_who_may_not_make_roles_needs_to_be_a_member_of_pulse_owner(ready: Database) -> None:
    await as_superuser(ready, f"CREATE DATABASE second OWNER {OTHER}")
    second = Database("second", ready.cluster, ready.passwords)
    with pytest.raises(StartRefused, match=r"^0001_roles\.sql: .*pulse_owner"):
        await set_up_database(settings_for(second, OTHER), print)
    await as_superuser(ready, f"GRANT pulse_owner TO {OTHER}")
    lines: list[str] = []
    await set_up_database(settings_for(second, OTHER), lines.append)
    assert len(lines) == len(read(MIGRATIONS))
    await as_superuser(ready, "DROP DATABASE second", f"REVOKE pulse_owner FROM {OTHER}")
