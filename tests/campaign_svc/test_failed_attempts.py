"""Every attempt that failed is remembered with its reason, whoever wrote it, for as long as its campaign."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from campaign_svc.campaigns import rows_store
from campaign_svc.engine import rollout_store
from campaign_svc.engine.retention import Retention
from pulse.contracts.status import Event, Heard
from pulse.runtime import db
from pulse.runtime.db import Pool, transaction
from status_ingest_svc import store as ingest_store
from status_ingest_svc.store import Backoff
from tests.campaign_svc.rows import TENANT, Fleet
from tests.real_parts import Database

AT_ONCE = Backoff(retry=0.0, offline=0.0)
Failed = tuple[str, int, str, str | None]
"""Device, attempt, error code, message."""


@pytest.fixture(scope="module")
async def ingest(postgres: Database) -> AsyncIterator[Pool]:
    async with db.pool(postgres.dsn_of("status_ingest_svc"), size=2) as pool:
        yield pool


@pytest.fixture(scope="module")
async def api(postgres: Database) -> AsyncIterator[Pool]:
    async with db.pool(postgres.dsn_of("campaign_svc"), size=2) as pool:
        yield pool


async def release(loops: Pool, campaign: int) -> None:
    async with transaction(loops) as conn:
        await rollout_store.lock_claims(conn, TENANT)
        await rollout_store.claim(conn, campaign, [0], 100, timedelta(minutes=1))


async def say(ingest: Pool, campaign: int, attempt: int, **said: tuple[Event, str | None]) -> None:
    """A batch of reports, by device, as ingest writes it."""
    heard = [Heard(TENANT, campaign, name, attempt, event, None, code, code) for name, (event, code) in said.items()]
    async with transaction(ingest) as conn:
        await ingest_store.apply(
            conn, heard, [ingest_store.Sighting(TENANT, name) for name in said], {campaign: 3}, AT_ONCE
        )


async def remembered(fleet: Fleet, campaign: int) -> list[Failed]:
    rows = await fleet.pool.fetch(
        """SELECT device_id, attempt, error_code, error_message FROM ota_failed_attempts WHERE campaign_id = $1
            ORDER BY device_id, attempt""",
        campaign,
    )
    return [(row["device_id"], row["attempt"], row["error_code"], row["error_message"]) for row in rows]


async def test_each_failed_attempt_is_remembered_and_no_other(fleet: Fleet, loops: Pool, ingest: Pool) -> None:
    campaign = await fleet.campaign(3)
    await release(loops, campaign)
    await say(ingest, campaign, 1, d0=(Event.FAILED, "no_power"), d1=(Event.FAILED, None), d2=(Event.SUCCESS, None))
    await release(loops, campaign)
    await say(ingest, campaign, 2, d0=(Event.FAILED, "flash_full"), d1=(Event.SUCCESS, None))
    assert await remembered(fleet, campaign) == [
        ("d0", 1, "no_power", "no_power"),
        ("d0", 2, "flash_full", "flash_full"),
        ("d1", 1, "device_error", None),
    ]


async def test_late_and_repeated_failures_are_not_remembered(fleet: Fleet, loops: Pool, ingest: Pool) -> None:
    campaign = await fleet.campaign(1)
    await release(loops, campaign)
    for _ in ("once", "again"):
        await say(ingest, campaign, 1, d0=(Event.FAILED, "no_power"))
    await release(loops, campaign)
    await say(ingest, campaign, 2, d0=(Event.SUCCESS, None))
    await say(ingest, campaign, 2, d0=(Event.FAILED, "no_power"))
    assert await remembered(fleet, campaign) == [("d0", 1, "no_power", "no_power")]


async def test_a_silent_device_is_remembered_with_the_sweeps_reason(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign(1)
    await release(loops, campaign)
    await fleet.caught_up()
    await fleet.pool.execute(
        """UPDATE ota_device_status SET status = 'DISPATCHED', dispatched_at = now() - interval '1 hour'
            WHERE campaign_id = $1""",
        campaign,
    )
    async with transaction(loops) as conn:
        await rollout_store.fail_silent(conn, campaign, 10, timeout=60, max_attempts=3, backoff=0)
    [(device, attempt, code, message)] = await remembered(fleet, campaign)
    assert (device, attempt, code) == ("d0", 1, "no_response")
    assert message == "no report came within the attempt's time limit"


async def test_an_operators_retry_keeps_what_was_before(fleet: Fleet, loops: Pool, ingest: Pool) -> None:
    campaign = await fleet.campaign(1)
    for attempt in (1, 2, 3):
        await release(loops, campaign)
        await say(ingest, campaign, attempt, d0=(Event.FAILED, f"reason_{attempt}"))
    async with transaction(loops) as conn:
        now = await conn.fetchval("SELECT clock_timestamp()")
        assert await rollout_store.retry_failed(conn, campaign, 10, now) == 1
    await release(loops, campaign)
    await say(ingest, campaign, 4, d0=(Event.FAILED, "reason_4"))
    assert [code for _, _, code, _ in await remembered(fleet, campaign)] == [f"reason_{n}" for n in (1, 2, 3, 4)]


async def test_only_its_tenant_sees_a_failed_attempt_newest_first(
    fleet: Fleet, loops: Pool, ingest: Pool, api: Pool
) -> None:
    campaign = await fleet.campaign(1)
    for attempt in (1, 2):
        await release(loops, campaign)
        await say(ingest, campaign, attempt, d0=(Event.FAILED, "no_power"))
    async with transaction(api, TENANT) as conn:
        assert [one.attempt for one in await rows_store.failed_attempts(conn, "d0", [campaign])] == [2, 1]
    async with transaction(api, "other") as conn:
        assert await rows_store.failed_attempts(conn, "d0", [campaign]) == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("DELETE FROM ota_failed_attempts")


async def test_failed_attempts_go_with_the_rows_of_their_campaign(fleet: Fleet, loops: Pool, ingest: Pool) -> None:
    old, young = await fleet.campaign(3), await fleet.campaign(3, prefix="y")
    for campaign, prefix in ((old, "d"), (young, "y")):
        await release(loops, campaign)
        await say(ingest, campaign, 1, **{f"{prefix}{n}": (Event.FAILED, "no_power") for n in range(3)})
    await fleet.set(old, status="ABORTED")
    await fleet.pool.execute("UPDATE ota_campaigns SET completed_at = now() - interval '9 days' WHERE id = $1", old)
    keeper = Retention(loops, 8, 2)
    assert await keeper.delete_chunk()
    assert len(await remembered(fleet, old)) == 1
    while await keeper.delete_chunk():
        pass
    assert await remembered(fleet, old) == []
    assert len(await remembered(fleet, young)) == 3
