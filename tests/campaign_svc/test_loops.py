"""All loops running, as replicas beside each other, over faults of the database; ingest is played by the test."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from campaign_svc.engine import engine
from campaign_svc.metrics import ASIDE, ERRORS, RACES, UNSENT
from pulse.contracts.kafka import REQUESTS
from pulse.runtime import db
from pulse.runtime.kafka import producer
from pulse.runtime.kafka_cluster import Cluster
from tests.campaign_svc.rows import Fleet, settings
from tests.campaign_svc.wire import control_of, requests_of
from tests.real_parts import Database, Databases, Topics


@asynccontextmanager
async def replica(postgres: Database, kafka: str, **given: Any) -> AsyncIterator[None]:
    """One process's loops, with connections of their own; stopped cleanly on leaving."""
    told = settings(kafka_bootstrap=kafka, **given)
    stop = asyncio.Event()
    async with (
        db.pool(postgres.dsn_of("campaign_loops"), size=engine.POOL_SIZE) as pool,
        producer(Cluster(kafka)) as sender,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(engine.run(told, pool, sender, REQUESTS.partitions, stop))
        try:
            yield
        finally:
            stop.set()


async def ingest(fleet: Fleet, *, fails: float = 0.0) -> None:
    """Takes devices one step further, as reports would; a share of the attempts fails."""
    await fleet.caught_up()
    await fleet.pool.execute(
        """WITH heard AS (SELECT campaign_id, device_id FROM ota_device_status
                         WHERE status IN ('QUEUED', 'DISPATCHED', 'INSTALLING') ORDER BY 1, 2 LIMIT 300 FOR UPDATE),
                drawn AS MATERIALIZED (SELECT *, random() < $1 AS fails FROM heard)
           UPDATE ota_device_status r SET
               status = CASE r.status WHEN 'QUEUED' THEN 'DISPATCHED' WHEN 'DISPATCHED' THEN 'INSTALLING'
                   ELSE CASE WHEN NOT fails THEN 'SUCCESS' WHEN failures < 2 THEN 'PENDING' ELSE 'FAILED' END END,
               failures = failures + CASE WHEN r.status = 'INSTALLING' AND fails THEN 1 ELSE 0 END,
               dispatched_at = coalesce(dispatched_at, now())
           FROM drawn WHERE r.campaign_id = drawn.campaign_id AND r.device_id = drawn.device_id""",
        fails,
    )


async def nothing() -> None:
    """What there is to do for a test that only waits."""


async def until(holds: Callable[[], Awaitable[bool]], meanwhile: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await meanwhile()
            await asyncio.sleep(0.01)


async def test_two_replicas_release_each_attempt_once_over_campaigns_that_share_their_devices(
    fleet: Fleet, postgres: Database, kafka: str
) -> None:
    campaigns = [await fleet.campaign(400, rollout_rate=60_000, abort_threshold=1.0) for _ in range(3)]
    raced = RACES._value.get()

    async def completed() -> bool:
        return {(await fleet.get(c))["status"] for c in campaigns} == {"COMPLETED"}

    async def work() -> None:
        await ingest(fleet, fails=0.2)
        assert await fleet.miscounted() == []

    async with replica(postgres, kafka, claim_max=50), replica(postgres, kafka, claim_max=50):
        await until(completed, work)
    for campaign in campaigns:
        ended = await fleet.statuses(campaign)
        assert ended.total() == ended["SUCCESS"] + ended["FAILED"] + ended["SKIPPED"] == 400
        requests = Counter((r.request.device_id, r.request.attempt) for r in await requests_of(kafka, campaign))
        rows = await fleet.pool.fetch(
            "SELECT device_id, attempt FROM ota_device_status WHERE campaign_id = $1", campaign
        )
        assert requests == Counter((row["device_id"], n) for row in rows for n in range(1, row["attempt"] + 1))
        assert (await control_of(kafka, campaign))[-1] == (2, "COMPLETED")
        assert await fleet.events(campaign) == ["completed"]
    assert RACES._value.get() == raced, "claims of one tenant take turns: none deadlocks"


async def test_a_campaign_that_cannot_go_on_does_not_hold_the_others(
    fleet: Fleet, postgres: Database, kafka: str
) -> None:
    stuck, free = await fleet.campaign(10), await fleet.campaign(10, prefix="other")
    async with db.transaction(fleet.pool) as conn:
        await conn.fetch("SELECT FROM ota_campaigns WHERE id = $1 FOR UPDATE", stuck)

        async def completed() -> bool:
            return bool((await fleet.get(free))["status"] == "COMPLETED")

        async with replica(postgres, kafka):
            await until(completed, lambda: ingest(fleet))
    assert await fleet.statuses(stuck) == {"PENDING": 10}


async def test_an_operators_change_never_waits_for_a_long_end(fleet: Fleet, postgres: Database, kafka: str) -> None:
    campaign = await fleet.campaign(10_000, status="ABORTED")
    loop = asyncio.get_running_loop()
    longest = 0.0

    async def ended() -> bool:
        return (await fleet.get(campaign))["completed_at"] is not None

    async def change() -> None:
        nonlocal longest
        begun = loop.time()
        async with db.transaction(fleet.pool) as conn:
            await conn.fetch("SELECT FROM ota_campaigns WHERE id = $1 FOR UPDATE", campaign)
        longest = max(longest, loop.time() - begun)

    async with replica(postgres, kafka, chunk_rows=500):
        await until(ended, change)
    assert await fleet.statuses(campaign) == {"SKIPPED": 10_000}
    assert longest < 1.0


async def test_the_loops_wait_for_a_database_that_is_killed(
    fleet: Fleet, postgres: Database, databases: Databases, kafka: str
) -> None:
    campaign = await fleet.campaign(50, rollout_rate=6_000)

    async def completed() -> bool:
        return bool((await fleet.get(campaign))["status"] == "COMPLETED")

    async def released() -> bool:
        return (await fleet.statuses(campaign))["QUEUED"] > 0

    async with replica(postgres, kafka):
        await until(released, nothing)
        await databases.process.kill()
        await asyncio.sleep(0.5)
        await databases.process.start()
        await until(completed, lambda: ingest(fleet))
    assert await fleet.miscounted() == []


async def test_requests_that_kafka_did_not_take_are_sent_as_another_attempt(
    fleet: Fleet, postgres: Database, topics: Topics
) -> None:
    unsent = UNSENT._value.get()
    campaign = await fleet.campaign(5, status="PAUSED")

    async def given_up() -> bool:
        return bool(UNSENT._value.get() == unsent + 5)

    async def sent_again() -> bool:
        requests = await requests_of(topics.bootstrap, campaign)
        return {(r.request.device_id, r.request.attempt) for r in requests} >= {(f"d{n}", 2) for n in range(5)}

    async with replica(postgres, topics.bootstrap):
        await topics.process.kill()
        await fleet.set(campaign, status="RUNNING")
        try:
            await until(given_up, nothing)
        finally:
            await topics.process.start()
        assert await fleet.statuses(campaign) == {"QUEUED": 5}
        await fleet.pass_not_after(campaign, [f"d{n}" for n in range(5)])
        await fleet.caught_up()
        await until(sent_again, nothing)
    assert await fleet.miscounted() == []


async def test_an_error_that_nobody_expected_sets_its_campaign_aside_and_no_other(
    fleet: Fleet, postgres: Database, kafka: str
) -> None:
    poisoned, free = await fleet.campaign(10), await fleet.campaign(10, prefix="other")
    errors = ERRORS._value.get()
    await fleet.pool.execute("UPDATE ota_campaigns SET end_at = '20000-01-01' WHERE id = $1", poisoned)  # no datetime

    async def completed(campaign: int) -> bool:
        return bool(
            await fleet.pool.fetchval("SELECT status FROM ota_campaigns WHERE id = $1", campaign) == "COMPLETED"
        )

    async with replica(postgres, kafka):
        await until(lambda: completed(free), lambda: ingest(fleet))
        assert ERRORS._value.get() > errors
        assert ASIDE._value.get() == 1
        await fleet.pool.execute("UPDATE ota_campaigns SET end_at = NULL WHERE id = $1", poisoned)
        await until(lambda: completed(poisoned), lambda: ingest(fleet))
    assert await fleet.miscounted() == []


async def test_loops_that_may_not_read_end_with_the_error(fleet: Fleet, postgres: Database, kafka: str) -> None:
    await fleet.campaign(1)
    await fleet.pool.execute("REVOKE SELECT ON ota_campaigns FROM campaign_loops")
    try:
        with pytest.raises(ExceptionGroup) as raised:
            async with asyncio.timeout(20), replica(postgres, kafka):
                await asyncio.Event().wait()
        assert raised.group_contains(asyncpg.InsufficientPrivilegeError)
    finally:
        await fleet.pool.execute("GRANT SELECT ON ota_campaigns TO campaign_loops")
