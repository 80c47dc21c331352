"""The loops' SQL says what the rules say: every row under every event, on the real database, under their own role."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import product

import asyncpg
import pytest

from campaign_svc import changes
from campaign_svc.campaigns import exclusion_store
from campaign_svc.engine import rollout_store, take_in_store
from pulse.contracts.status import EXCLUDABLE, GIVEN_UP, CampaignStatus, Event, Row, Status, Wait, step
from pulse.runtime.db import Connection, Pool, transaction
from tests.campaign_svc.rows import Fleet


async def exclude_all(conn: Connection, campaign: int, allowed: frozenset[Status]) -> None:
    rows = await conn.fetch("SELECT device_id FROM ota_device_status WHERE campaign_id = $1", campaign)
    for row in rows:
        await exclusion_store.exclude(conn, campaign, row["device_id"], allowed)


MAX_ATTEMPTS = 3
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
HOLD = timedelta(seconds=35)
EVENTS: dict[Event, Callable[[Connection, int], Awaitable[object]]] = {
    Event.CLAIM: lambda conn, c: rollout_store.claim(conn, c, [0], 10_000, HOLD),
    Event.OVERDUE: lambda conn, c: rollout_store.take_back_overdue(conn, c, 10_000, 10),
    Event.TIMEOUT: lambda conn, c: rollout_store.fail_silent(
        conn, c, 10_000, timeout=60, max_attempts=MAX_ATTEMPTS, backoff=60
    ),
    Event.END: lambda conn, c: rollout_store.end_pending(conn, c, 10_000, "aborted"),
    Event.SUPERSEDED: lambda conn, c: rollout_store.skip_superseded(conn, c, [0], 10_000),
    Event.UNFIT: lambda conn, c: rollout_store.claim(conn, c, [0], 10_000, HOLD),
    Event.TAKE_IN: lambda conn, c: take_in_store.take_in(conn, c, 10_000),
    Event.EXCLUDE: lambda conn, c: exclude_all(conn, c, EXCLUDABLE),
    Event.GIVE_UP: lambda conn, c: exclude_all(conn, c, GIVEN_UP),
    Event.RETRY: lambda conn, c: rollout_store.retry_failed(conn, c, 10_000, datetime.now(UTC)),
}


def every_row() -> list[Row]:
    """Every row that the database allows."""
    waits: list[Wait | None] = [None, *Wait]
    return [
        Row(status, attempt, failures, wait)
        for status, attempt, failures, wait in product(Status, range(4), range(4), waits)
        if (wait is None or status is Status.PENDING)
        and (attempt > 0 or status in {Status.PENDING, Status.SUCCESS, Status.FAILED, Status.SKIPPED})
    ]


def name(row: Row) -> str:
    return f"{row.status}-{row.attempt}-{row.failures}-{row.wait}"


async def put(fleet: Fleet, campaign_id: int, rows: list[Row], skip_reason: str = "aborted") -> None:
    for row in rows:
        await fleet.row(
            campaign_id,
            name(row),
            row.status,
            attempt=row.attempt,
            failures=row.failures,
            wait=row.wait,
            skip_reason=skip_reason if row.status is Status.SKIPPED else None,
            not_after=LONG_AGO,
            dispatched_at=LONG_AGO if row.attempt else None,
            completed_at=LONG_AGO if row.status in {Status.SUCCESS, Status.FAILED, Status.SKIPPED} else None,
        )


def as_row(found: asyncpg.Record) -> Row:
    wait = None if found["wait"] is None else Wait(found["wait"])
    return Row(Status(found["status"]), found["attempt"], found["failures"], wait)


@pytest.mark.parametrize("event", EVENTS)
async def test_sql_does_to_every_row_what_the_rules_say(fleet: Fleet, loops: Pool, event: Event) -> None:
    rows = every_row()
    campaign = await fleet.campaign(take_in_after="")
    await put(fleet, campaign, rows, "wrong_device_type" if event is Event.TAKE_IN else "aborted")
    if event is Event.UNFIT:
        await fleet.unregister(*map(name, rows))
    if event is Event.SUPERSEDED:
        newer = await fleet.campaign()
        for row in rows:
            await fleet.row(newer, name(row), "SUCCESS", attempt=1)
    await fleet.caught_up()
    async with transaction(loops) as conn:
        await EVENTS[event](conn, campaign)
    found = await fleet.pool.fetch("SELECT * FROM ota_device_status WHERE campaign_id = $1", campaign)
    became = {r["device_id"]: as_row(r) for r in found}
    assert became == {name(row): step(row, event, max_attempts=MAX_ATTEMPTS)[0] for row in rows}
    assert await fleet.miscounted() == []


async def test_a_claim_counts_the_attempt_and_starts_the_progress_again(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign()
    await fleet.row(campaign, "d1", "PENDING", attempt=2, failures=1, progress_pct=70, wait="retry", rank=5)
    async with transaction(loops) as conn:
        [claimed], _ = await rollout_store.claim(conn, campaign, [0], 10, HOLD)
        later = await conn.fetchval("SELECT clock_timestamp()")
    row = await fleet.device(campaign, "d1")
    assert (claimed.device_id, claimed.attempt, claimed.rank) == ("d1", 3, 5)
    assert (row["attempt"], row["progress_pct"], row["wait"]) == (3, 0, None)
    assert row["queued_at"] == claimed.issued_at < later
    assert row["not_after"] == claimed.not_after == claimed.issued_at + HOLD


async def test_rows_are_claimed_in_the_order_of_being_due_and_then_of_rank(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign(4)
    await fleet.pool.execute("UPDATE ota_device_status SET next_attempt_at = now() WHERE device_id = 'd0'")
    await fleet.pool.execute(
        "UPDATE ota_device_status SET next_attempt_at = now() + interval '1 minute' WHERE device_id = 'd1'"
    )
    async with transaction(loops) as conn:
        first, _ = await rollout_store.claim(conn, campaign, [0], 2, HOLD)
        second, _ = await rollout_store.claim(conn, campaign, [0], 2, HOLD)
    assert {c.device_id for c in first} == {"d2", "d3"}
    assert {c.device_id for c in second} == {"d0"}


async def test_a_device_that_another_campaign_updates_is_not_claimed(fleet: Fleet, loops: Pool) -> None:
    busy, waiting = await fleet.campaign(3), await fleet.campaign(3)
    await fleet.move(busy, "DOWNLOADING", "d1", attempt=1)
    async with transaction(loops) as conn:
        claimed, _ = await rollout_store.claim(conn, waiting, [0], 10, HOLD)
    assert {c.device_id for c in claimed} == {"d0", "d2"}


async def test_a_device_taken_out_while_queued_is_held_for_its_request(fleet: Fleet, loops: Pool) -> None:
    left, waiting = await fleet.campaign(2), await fleet.campaign(2)
    async with transaction(loops) as conn:
        assert len((await rollout_store.claim(conn, left, [0], 10, HOLD))[0]) == 2
        assert await exclusion_store.exclude(conn, left, "d0", EXCLUDABLE) == "QUEUED"
    await fleet.move(left, "SUCCESS", "d1")
    async with transaction(loops) as conn:
        claimed, _ = await rollout_store.claim(conn, waiting, [0], 10, HOLD)
        assert [c.device_id for c in claimed] == ["d1"], "the request of d0 may still be published"
    await fleet.pass_not_after(left, ["d0"])
    async with transaction(loops) as conn:
        claimed, _ = await rollout_store.claim(conn, waiting, [0], 10, HOLD)
        assert [c.device_id for c in claimed] == ["d0"]


async def test_rows_that_ingest_holds_are_left_for_the_next_tick(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign(2)
    async with transaction(fleet.pool) as ingest, transaction(loops) as conn:
        await ingest.fetch("SELECT FROM ota_device_status WHERE device_id = 'd0' FOR UPDATE")
        claimed, _ = await rollout_store.claim(conn, campaign, [0], 10, HOLD)
    assert [c.device_id for c in claimed] == ["d1"]


@pytest.mark.parametrize(("status", "code"), [("DISPATCHED", "no_response"), ("INSTALLING", "timeout")])
async def test_a_silent_device_fails_for_its_reason_and_waits_longer_each_time(
    fleet: Fleet, loops: Pool, status: str, code: str
) -> None:
    campaign = await fleet.campaign()
    for failures in range(5):
        await fleet.row(
            campaign, f"d{failures}", status, attempt=failures + 1, failures=failures, dispatched_at=LONG_AGO
        )
    await fleet.caught_up()
    async with transaction(loops) as conn:
        await rollout_store.fail_silent(conn, campaign, 10, timeout=60, max_attempts=10, backoff=60)
        now = await conn.fetchval("SELECT now()")
    for failures, seconds in enumerate([60, 240, 960, 3600, 3600]):
        row = await fleet.device(campaign, f"d{failures}")
        assert row["error_code"] == code
        wait = (row["next_attempt_at"] - now).total_seconds()
        assert 0.8 * seconds <= wait <= 1.2 * seconds + 5


async def test_sweeps_hold_until_ingest_has_taken_in_what_came_before(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign()
    minute_ago = datetime.now(UTC) - timedelta(seconds=61)
    await fleet.row(campaign, "requested", "QUEUED", attempt=1, not_after=minute_ago)
    await fleet.row(campaign, "silent", "DISPATCHED", attempt=1, dispatched_at=minute_ago)

    async def swept() -> tuple[int, int]:
        async with transaction(loops) as conn:
            overdue = await rollout_store.take_back_overdue(conn, campaign, 10, 10)
            silent = await rollout_store.fail_silent(conn, campaign, 10, timeout=60, max_attempts=1, backoff=60)
        return overdue, silent

    assert await swept() == (0, 0), "no member of ingest: nobody knows what has come"
    await fleet.caught_up(ago=55)
    assert await swept() == (0, 0)
    await fleet.caught_up(ago=45)
    assert await swept() == (1, 0)
    await fleet.caught_up()
    assert await swept() == (0, 1)


async def test_an_expired_member_of_ingest_still_holds_the_sweeps(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign()
    await fleet.row(campaign, "d", "QUEUED", attempt=1, not_after=LONG_AGO)
    await fleet.caught_up()
    await fleet.pool.execute("INSERT INTO ingest_members VALUES (1, 'dead', $1, $1)", LONG_AGO - timedelta(days=1))
    async with transaction(loops) as conn:
        assert await rollout_store.take_back_overdue(conn, campaign, 10, 10) == 0


async def test_a_superseded_device_is_skipped_and_an_older_success_does_not_count(fleet: Fleet, loops: Pool) -> None:
    older, campaign, newer = await fleet.campaign(3), await fleet.campaign(3), await fleet.campaign(3)
    await fleet.move(older, "SUCCESS", "d0")
    await fleet.move(newer, "SUCCESS", "d1")
    async with transaction(loops) as conn:
        assert await rollout_store.skip_superseded(conn, campaign, [0], 10) == 1
        claimed, _ = await rollout_store.claim(conn, campaign, [0], 10, HOLD)
    assert (await fleet.device(campaign, "d1"))["skip_reason"] == "superseded"
    assert {c.device_id for c in claimed} == {"d0", "d2"}


STARTED, PAUSED, RESUMED = "RUNNING", "PAUSED", "RUNNING again"
ORDERS = [
    [("other", STARTED), ("one", STARTED), ("one", PAUSED), ("one", RESUMED)],
    [("one", STARTED), ("other", STARTED), ("one", PAUSED), ("one", RESUMED)],
    [("one", STARTED), ("one", PAUSED), ("other", STARTED), ("one", RESUMED)],
    [("one", STARTED), ("one", PAUSED), ("one", RESUMED), ("other", STARTED)],
]
"""All orders of two starts with a pause and a resume of one of the campaigns."""


async def work(fleet: Fleet, loops: Pool, campaign: int) -> None:
    """The campaign's turn: what is superseded is skipped, the rest is claimed and succeeds at once."""
    async with transaction(loops) as conn:
        await rollout_store.skip_superseded(conn, campaign, [0], 10)
        claimed, _ = await rollout_store.claim(conn, campaign, [0], 10, HOLD)
    if claimed:
        await fleet.move(campaign, "SUCCESS", *[c.device_id for c in claimed])


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: ", ".join(f"{who} {what}" for who, what in order))
@pytest.mark.parametrize("created", [("one", "other"), ("other", "one")], ids=" before ".join)
@pytest.mark.parametrize("turns", [("one", "other"), ("other", "one")], ids=" works before ".join)
async def test_a_device_ends_with_what_was_started_last_whatever_was_created_resumed_or_done_first(
    fleet: Fleet, loops: Pool, order: list[tuple[str, str]], created: tuple[str, str], turns: tuple[str, str]
) -> None:
    campaigns = {who: await fleet.campaign(1, status="CREATED", started_at=None) for who in created}
    for who, what in order:
        async with transaction(loops) as conn:
            await change_status(conn, campaigns[who], CampaignStatus(what.split()[0]))
    for who in turns:
        await work(fleet, loops, campaigns[who])
    last = [who for who, what in order if what is STARTED][-1]
    first = "one" if last == "other" else "other"
    assert (await fleet.device(campaigns[last], "d0"))["status"] == "SUCCESS"
    row = await fleet.device(campaigns[first], "d0")
    skipped = turns[0] == last
    assert (row["status"], row["skip_reason"]) == (("SKIPPED", "superseded") if skipped else ("SUCCESS", None))


async def change_status(conn: Connection, campaign: int, status: CampaignStatus) -> None:
    await changes.change(conn, campaign, status=status, event="test", by="x", reason_code=None, detail=None)


async def test_what_failed_before_another_campaign_updated_the_device_is_not_tried_again_when_it_reopens(
    fleet: Fleet, loops: Pool
) -> None:
    newer, reopened = await fleet.campaign(2), await fleet.campaign(2)
    await fleet.move(reopened, "FAILED", attempt=1, completed_at=LONG_AGO)
    await fleet.set(reopened, started_at=LONG_AGO, status="COMPLETED")
    await fleet.move(newer, "SUCCESS", "d0")
    async with transaction(loops) as conn:
        await change_status(conn, reopened, CampaignStatus.RUNNING)
        await rollout_store.retry_failed(conn, reopened, 10, datetime.now(UTC))
    await work(fleet, loops, reopened)
    assert (await fleet.device(reopened, "d0"))["skip_reason"] == "superseded"
    assert (await fleet.device(reopened, "d1"))["status"] == "SUCCESS"


async def test_of_campaigns_started_at_the_same_moment_the_one_created_later_is_newer(
    fleet: Fleet, loops: Pool
) -> None:
    older, newer = [await fleet.campaign(1, started_at=LONG_AGO) for _ in range(2)]
    for campaign in (newer, older):
        await work(fleet, loops, campaign)
    assert (await fleet.device(newer, "d0"))["status"] == "SUCCESS"
    assert (await fleet.device(older, "d0"))["skip_reason"] == "superseded"


async def test_a_retry_takes_what_failed_before_it_and_nothing_that_failed_since(fleet: Fleet, loops: Pool) -> None:
    asked = datetime.now(UTC)
    campaign = await fleet.campaign(retry_before=asked)
    await fleet.row(campaign, "old", "FAILED", attempt=3, failures=3, completed_at=LONG_AGO)
    await fleet.row(campaign, "new", "FAILED", attempt=3, failures=3, completed_at=asked + timedelta(seconds=1))
    async with transaction(loops) as conn:
        assert await rollout_store.retry_failed(conn, campaign, 10, asked) == 1
    assert (await fleet.device(campaign, "new"))["status"] == "FAILED"
    assert (await fleet.get(campaign))["retry_before"] is None


async def test_a_retry_is_done_although_devices_that_are_gone_stay_failed(fleet: Fleet, loops: Pool) -> None:
    asked = datetime.now(UTC)
    campaign = await fleet.campaign(retry_before=asked)
    for device in ("gone", "there"):
        await fleet.row(campaign, device, "FAILED", attempt=3, failures=3, completed_at=LONG_AGO)
    await fleet.unregister("gone")
    async with transaction(loops) as conn:
        assert await rollout_store.retry_failed(conn, campaign, 10, asked) == 1
    assert await fleet.statuses(campaign) == {"FAILED": 1, "PENDING": 1}
    assert (await fleet.device(campaign, "gone"))["status"] == "FAILED"
    assert (await fleet.get(campaign))["retry_before"] is None


async def test_a_retry_is_not_done_while_a_row_of_it_is_held_by_another(fleet: Fleet, loops: Pool) -> None:
    asked = datetime.now(UTC)
    campaign = await fleet.campaign(retry_before=asked)
    await fleet.row(campaign, "held", "FAILED", attempt=3, failures=3, completed_at=LONG_AGO)
    async with transaction(fleet.pool) as ingest, transaction(loops) as conn:
        await ingest.fetch("SELECT FROM ota_device_status WHERE device_id = 'held' FOR UPDATE")
        assert await rollout_store.retry_failed(conn, campaign, 10, asked) == 0
    assert (await fleet.get(campaign))["retry_before"] == asked
