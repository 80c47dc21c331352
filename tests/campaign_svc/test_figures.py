"""What triggers count equals the rows, at every commit: failures by reason, pace, versions in the field, heard."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from campaign_svc.engine import rollout_store
from campaign_svc.fleet import fleet as fleet_acts
from campaign_svc.fleet import fleet_store
from campaign_svc.fleet.fleet_schemas import NewDevice
from campaign_svc.insight import figures_store, fold_store
from pulse.contracts.status import Event, Heard
from pulse.runtime import db
from pulse.runtime.auth import Principal
from pulse.runtime.db import Pool, transaction
from pulse.runtime.once import Once
from status_ingest_svc import store as ingest_store
from status_ingest_svc.store import Backoff
from tests.campaign_svc import recount
from tests.campaign_svc.rows import TENANT, Fleet
from tests.local.test_migration_files import FIRST as FIRST_APPLIED
from tests.real_parts import Database

WHO = Principal("operator@acme", TENANT, frozenset({"admin"}))
AT_ONCE = Backoff(retry=0.0, offline=0.0)
CODES = ("flash_full", "bad_checksum", "no_power")
Said = tuple[str, int, Event, str | None]
"""Device, attempt, what happened, error code."""


@pytest.fixture(scope="module")
async def ingest(postgres: Database) -> AsyncIterator[Pool]:
    async with db.pool(postgres.dsn_of("status_ingest_svc"), size=4) as pool:
        yield pool


@pytest.fixture(scope="module")
async def api(postgres: Database) -> AsyncIterator[Pool]:
    async with db.pool(postgres.dsn_of("campaign_svc"), size=4) as pool:
        yield pool


async def register(fleet: Fleet, devices: int, prefix: str = "d", version: str | None = "1.0") -> None:
    await fleet.pool.execute(
        """INSERT INTO devices (tenant_id, device_id, device_type, current_version)
           SELECT $1, $2 || n, 'gw2', $3 FROM generate_series(0, $4 - 1) n ON CONFLICT DO NOTHING""",
        TENANT,
        prefix,
        version,
        devices,
    )


async def claim(loops: Pool, campaign: int, most: int = 1000) -> list[rollout_store.Claimed]:
    async with transaction(loops) as conn:
        await rollout_store.lock_claims(conn, TENANT)
        return (await rollout_store.claim(conn, campaign, [0], most, timedelta(minutes=1)))[0]


async def take(ingest: Pool, campaign: int, said: Sequence[Said]) -> None:
    """A batch of ingest, as it writes one."""
    heard = [Heard(TENANT, campaign, device, attempt, event, None, code, code) for device, attempt, event, code in said]
    sightings = [ingest_store.Sighting(TENANT, device, random.choice(["2.0", "2.1", None])) for device, *_ in said]
    async with transaction(ingest) as conn:
        await ingest_store.apply(conn, heard, sightings, {campaign: 3}, AT_ONCE)


async def pace(fleet: Fleet, campaign: int) -> int:
    """Commands of the last minute, as the API counts them."""
    async with fleet.pool.acquire() as conn:
        return sum(slot.dispatched for slot in (await figures_store.figures(conn, [campaign]))[campaign].slots)


async def reasons(fleet: Fleet, campaign: int) -> list[tuple[str, int]]:
    async with fleet.pool.acquire() as conn:
        return (await figures_store.figures(conn, [campaign]))[campaign].reasons


async def test_a_device_counts_under_its_last_error_until_it_succeeds(fleet: Fleet, loops: Pool, ingest: Pool) -> None:
    campaign = await fleet.campaign(3)
    await claim(loops, campaign)
    await take(ingest, campaign, [("d0", 1, Event.FAILED, "flash_full"), ("d1", 1, Event.FAILED, "flash_full")])
    assert await reasons(fleet, campaign) == [("flash_full", 2)]
    await claim(loops, campaign)
    await take(ingest, campaign, [("d0", 2, Event.FAILED, "no_power")])
    assert await reasons(fleet, campaign) == [("flash_full", 1), ("no_power", 1)]
    await take(ingest, campaign, [("d1", 2, Event.SUCCESS, None)])
    assert await reasons(fleet, campaign) == [("no_power", 1)]
    assert await recount.of_campaigns(fleet.pool) == []


async def test_failed_attempts_only_grow_also_when_an_operator_tries_again(
    fleet: Fleet, loops: Pool, ingest: Pool
) -> None:
    campaign = await fleet.campaign(2)
    for attempt in (1, 2, 3):
        await claim(loops, campaign)
        await take(ingest, campaign, [(device, attempt, Event.FAILED, "no_power") for device in ("d0", "d1")])
    failed = "SELECT attempts FROM ota_campaign_failures WHERE campaign_id = $1"
    assert await fleet.pool.fetchval(failed, campaign) == 6
    async with transaction(loops) as conn:
        now = await figures_store.moment(conn)
        assert await rollout_store.retry_failed(conn, campaign, 10, now) == 2
    assert (await fleet.pool.fetchval(failed, campaign), await reasons(fleet, campaign)) == (6, [])


async def test_only_the_most_frequent_reasons_are_told_however_many_codes_devices_invent(fleet: Fleet) -> None:
    campaign = await fleet.campaign()
    for n in range(60):
        await fleet.row(campaign, f"x{n}", "FAILED", failures=1, error_code=f"code_{n % 30}")
    await fleet.row(campaign, "y", "FAILED", failures=1, error_code="code_7")
    told = await reasons(fleet, campaign)
    assert (len(told), told[0], told[1][1]) == (20, ("code_7", 3), 2)


async def test_the_pace_counts_every_command_and_nothing_else(fleet: Fleet, loops: Pool, ingest: Pool) -> None:
    campaign = await fleet.campaign(10)
    await claim(loops, campaign)
    await take(ingest, campaign, [(f"d{n}", 1, Event.PUBLISHED, None) for n in range(6)])
    await take(ingest, campaign, [(f"d{n}", 1, Event.PUBLISHED, None) for n in range(3, 8)])  # three of them again
    await take(ingest, campaign, [(f"d{n}", 1, Event.DOWNLOADING, None) for n in range(8)])
    await take(ingest, campaign, [("d8", 1, Event.INSTALLING, None)])  # its result came later than its report
    await take(ingest, campaign, [("d0", 1, Event.FAILED, "no_power"), ("d9", 1, Event.NO_SUBSCRIBER, None)])
    assert await pace(fleet, campaign) == 9
    await claim(loops, campaign, 1)
    again = await fleet.pool.fetchval("SELECT device_id FROM ota_device_status WHERE attempt = 2")
    await take(ingest, campaign, [(again, 2, Event.PUBLISHED, None)])
    assert await pace(fleet, campaign) == 10


async def test_the_pace_of_a_long_campaign_needs_no_more_rows(fleet: Fleet) -> None:
    campaign = await fleet.campaign()
    for n in range(40):
        await fleet.pool.execute(
            """INSERT INTO ota_campaign_pace AS p SELECT $1, $2 % 16, $3, now() - interval '10 minutes', 1
               ON CONFLICT (campaign_id, slot) DO UPDATE SET dispatched = p.dispatched + 1""",
            campaign,
            n,
            TENANT,
        )
    await fleet.row(campaign, "d", "QUEUED", attempt=1)
    await fleet.pool.execute("UPDATE ota_device_status SET status = 'DISPATCHED', dispatched_at = now()")
    assert await fleet.pool.fetchval("SELECT count(*) FROM ota_campaign_pace WHERE campaign_id = $1", campaign) == 16
    assert await pace(fleet, campaign) == 1, "a slot that comes round again begins at nothing"


async def test_versions_and_devices_heard_follow_every_change_of_a_device(
    fleet: Fleet, ingest: Pool, api: Pool
) -> None:
    await register(fleet, 10, "v")
    async with transaction(ingest) as conn:
        await ingest_store.apply(
            conn, [], [ingest_store.Sighting(TENANT, f"v{n}", "2.0") for n in range(4)], {}, AT_ONCE
        )
    changed = [NewDevice(device_id=f"v{n}", device_type="gw3", current_version="3.0") for n in range(3, 12)]
    await fleet_acts.register_all(api, WHO, Once(None, "", 200), changed)
    await fleet_acts.delete(api, WHO, "v11")
    assert await recount.of_fleet(fleet.pool) == []
    await fold_store.fold(fleet.pool)
    assert await recount.of_fleet(fleet.pool) == []
    many = "SELECT count(*) FROM device_version_counts GROUP BY tenant_id, device_type, current_version"
    assert {row["count"] for row in await fleet.pool.fetch(many)} == {1}


async def test_heard_long_ago_is_not_kept(fleet: Fleet) -> None:
    await register(fleet, 3, "h")
    for ago in ("3 hours", "90 minutes", "1 minute"):
        await fleet.pool.execute(
            "UPDATE devices SET last_seen_at = now() - $1::text::interval WHERE device_id LIKE 'h%'", ago
        )
        assert await recount.of_fleet(fleet.pool) == []
    await fleet.pool.execute("UPDATE device_heard_counts SET since = since - interval '4 hours'")
    await fold_store.fold(fleet.pool)
    assert await fleet.pool.fetchval("SELECT count(*) FROM device_heard_counts") == 0


async def test_the_loops_may_fold(loops: Pool) -> None:
    await fold_store.fold(loops)


async def test_what_is_there_before_the_figures_is_counted_by_their_migration(
    fleet: Fleet, loops: Pool, ingest: Pool
) -> None:
    await register(fleet, 5, "m", None)
    campaign = await fleet.campaign(5, prefix="m")
    await claim(loops, campaign)
    await take(ingest, campaign, [(f"m{n}", 1, Event.FAILED, CODES[n % 2]) for n in range(4)])
    figures = "ota_campaign_reasons, ota_campaign_failures, device_version_counts, device_heard_counts"
    await fleet.pool.execute(f"TRUNCATE {figures}")
    await fleet.pool.execute("UPDATE ota_campaigns SET promised_at = NULL, promised = 0")
    for _ in ("once", "again"):
        for name in ("0008_campaign_figures.sql", "0009_fleet_figures.sql"):
            await fleet.pool.execute((FIRST_APPLIED / name).read_text(encoding="utf-8"))
        assert await recount.of_campaigns(fleet.pool) == []
        assert await recount.of_fleet(fleet.pool) == []
        assert (await fleet.get(campaign))["promised"] == 4, "what was dispatched stands for what was promised"


async def test_nothing_of_a_deleted_campaign_stays(fleet: Fleet, loops: Pool, ingest: Pool) -> None:
    campaign = await fleet.campaign(2)
    await claim(loops, campaign)
    await take(ingest, campaign, [("d0", 1, Event.PUBLISHED, None), ("d1", 1, Event.FAILED, "no_power")])
    await fleet.pool.execute("DELETE FROM ota_device_status WHERE campaign_id = $1", campaign)
    await fleet.pool.execute("DELETE FROM ota_campaign_counters WHERE campaign_id = $1", campaign)
    await fleet.pool.execute("DELETE FROM ota_campaigns WHERE id = $1", campaign)
    for table in ("reasons", "failures", "pace", "history"):
        left = f"SELECT count(*) FROM ota_campaign_{table} WHERE campaign_id = $1"
        assert await fleet.pool.fetchval(left, campaign) == 0, table


async def test_writers_of_all_kinds_at_once_never_deadlock_and_never_miscount(
    fleet: Fleet, loops: Pool, ingest: Pool, api: Pool
) -> None:
    devices = 60
    await register(fleet, devices)
    campaigns = [await fleet.campaign(devices, max_attempts=10), await fleet.campaign(devices, max_attempts=10)]
    chance = random.Random(7)

    async def tell() -> None:
        campaign = chance.choice(campaigns)
        said: list[Said] = []
        for row in await fleet.pool.fetch(
            "SELECT device_id, attempt FROM ota_device_status WHERE campaign_id = $1 AND attempt > 0", campaign
        ):
            event = chance.choice([Event.PUBLISHED, Event.DOWNLOADING, Event.FAILED, Event.FAILED, Event.NO_SUBSCRIBER])
            said.append((row["device_id"], row["attempt"], event, chance.choice(CODES)))
        await take(ingest, campaign, chance.sample(said, k=len(said) // 2))

    async def upsert() -> None:
        """In one transaction several statements, as an import may have them, over devices in the order of their ids."""
        some = sorted(f"d{n}" for n in chance.sample(range(devices + 20), k=30))
        kind, version = chance.choice(["gw2", "gw3"]), chance.choice(["1.0", "2.0", None])
        given = [fleet_store.Given(device, kind, version, None) for device in some]
        async with transaction(api, TENANT) as conn:
            await fleet_store.upsert_devices(conn, TENANT, given[:15])
            await fleet_store.upsert_devices(conn, TENANT, given[15:])

    async def release() -> None:
        await claim(loops, chance.choice(campaigns), 10)

    async def fold() -> None:
        await fold_store.fold(fleet.pool)

    async def again_and_again(act: Callable[[], Awaitable[None]], until: float) -> int:
        done = 0
        while time.monotonic() < until:
            await act()
            done += 1
        return done

    until = time.monotonic() + 4
    async with asyncio.TaskGroup() as group:
        acts = [tell, tell, tell, upsert, release, release, fold, fold]
        workers = [group.create_task(again_and_again(act, until)) for act in acts]
    assert min(worker.result() for worker in workers) > 3
    assert await recount.of_campaigns(fleet.pool) == []
    assert await recount.of_fleet(fleet.pool) == []
    assert await fleet.miscounted() == []
