"""The statement that ingest writes with, on the real database, under ingest's own role."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from pulse.contracts.status import REPORTS, RESULTS, Effect, Event, Heard, Row, Status, Wait, step
from pulse.runtime import db
from status_ingest_svc import store
from status_ingest_svc.batch import refusal
from status_ingest_svc.store import Applied, Backoff, Sighting
from tests.real_parts import Database
from tests.status_ingest_svc.world import TENANT, World, as_row, is_possible, names

BACKOFF = Backoff(retry=60, offline=60)
Q1 = Row(Status.QUEUED, 1, 0)


@pytest.fixture(scope="module")
async def pool(postgres: Database) -> AsyncIterator[db.Pool]:
    async with db.pool(postgres.dsn_of("status_ingest_svc"), size=4) as opened:
        yield opened


def heard(campaign: int, device: str, event: Event, attempt: int | None = 1) -> Heard:
    return Heard(TENANT, campaign, device, attempt, event)


async def apply(
    pool: db.Pool, *events: Heard, max_attempts: int = 3, sightings: Iterable[Sighting] = ()
) -> list[Applied]:
    seen = [*(Sighting(TENANT, e.device_id) for e in events if e.event in REPORTS), *sightings]
    async with db.statement(pool) as connection:
        return await store.apply(
            connection, events, seen, {event.campaign_id: max_attempts for event in events}, BACKOFF
        )


async def test_every_row_answers_every_event_as_the_rules_say(pool: db.Pool, seen: World) -> None:
    rows = [Row(*row) for row in product(Status, range(4), range(4), (None, *Wait)) if is_possible(Row(*row))]
    events: list[tuple[Event, int | None]] = list(product(RESULTS, (1, 2, 3)))
    events += product(REPORTS, (None, 1, 2, 3))
    cases = list(product(rows, sorted(events, key=str)))
    devices = names(len(cases))
    campaign = await seen.campaign()
    await seen.rows(campaign, [(device, row) for device, (row, _) in zip(devices, cases, strict=True)])
    said = [heard(campaign, device, event, n) for device, (_, (event, n)) in zip(devices, cases, strict=True)]

    applied = {a.heard.device_id: a for a in await apply(pool, *said)}

    after = {r["device_id"]: as_row(r) for r in await seen.sql.fetch("SELECT * FROM ota_device_status")}
    for device, (row, (event, n)) in zip(devices, cases, strict=True):
        expected, effect = step(row, event, attempt=n, max_attempts=3)
        if event in REPORTS:
            expected, _ = step(expected, Event.HEARD)
        done = applied[device]
        assert after[device] == expected, (row, event, n)
        assert done.was is row.status
        assert (done.becomes is not None) == (effect in {Effect.CHANGED, Effect.PROGRESS}), (row, event, n)
        assert (refusal(done) is not None) == (effect is Effect.QUARANTINED), (row, event, n)
    await seen.assert_counters_equal_rows(campaign)
    assert len(cases) > 4_000


@pytest.mark.parametrize("event", [Event.INSTALLING, Event.SUCCESS, Event.FAILED])
@pytest.mark.parametrize("first", [Event.PUBLISHED, Event.DOWNLOADING])
async def test_a_batch_that_waited_for_another_judges_what_that_one_left(
    pool: db.Pool, seen: World, first: Event, event: Event
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Q1)
    async with asyncio.TaskGroup() as group, db.transaction(pool) as connection:
        await store.apply(connection, [heard(campaign, device, first)], [], {campaign: 3}, BACKOFF)
        later = group.create_task(apply(pool, heard(campaign, device, event)))
        await seen.until_somebody_waits()
    [applied] = later.result()
    before, _ = step(Q1, first, attempt=1)
    after, _ = step(before, event, attempt=1)
    assert as_row(await seen.row(campaign, device)) == after
    assert (applied.was, applied.becomes, applied.failures) == (before.status, after.status, after.failures)
    await seen.assert_counters_equal_rows(campaign)


@pytest.mark.parametrize(
    ("failures", "least", "most"), [(0, 48, 72), (1, 192, 288), (2, 768, 1_152), (5, 2_880, 4_320)]
)
async def test_a_failed_device_waits_four_times_as_long_each_time_an_hour_at_most(
    pool: db.Pool, seen: World, failures: int, least: float, most: float
) -> None:
    devices = names(20)
    campaign = await seen.campaign(devices, Row(Status.INSTALLING, 1, failures), max_attempts=10)
    await apply(pool, *(heard(campaign, d, Event.FAILED) for d in devices), max_attempts=10)
    waits = [await _wait(seen, campaign, device) for device in devices]
    assert all(least - 2 <= wait <= most for wait in waits)
    assert len({round(wait) for wait in waits}) > 1, "they must not all come back at once"


@pytest.mark.parametrize("event", [Event.NO_SUBSCRIBER, Event.REFUSED])
@pytest.mark.parametrize(("tries", "least", "most"), [(0, 48, 72), (1, 96, 144), (3, 384, 576), (900, 2_880, 4_320)])
async def test_a_device_that_is_not_reached_waits_twice_as_long_each_time(
    pool: db.Pool, seen: World, event: Event, tries: int, least: float, most: float
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Q1, offline_tries=tries)
    await apply(pool, heard(campaign, device, event))
    assert least - 2 <= await _wait(seen, campaign, device) <= most
    assert (await seen.row(campaign, device))["offline_tries"] == tries + 1


@pytest.mark.parametrize("event", [Event.RETURNED, Event.EXPIRED, Event.CANCELLED])
async def test_a_request_that_came_back_is_due_at_once(pool: db.Pool, seen: World, event: Event) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Q1)
    await apply(pool, heard(campaign, device, event))
    assert await _wait(seen, campaign, device) <= 0
    assert (await seen.row(campaign, device))["offline_tries"] == 0


async def test_a_device_that_is_heard_is_due_in_all_its_campaigns(pool: db.Pool, seen: World) -> None:
    [device, other] = names(2)
    waiting = Row(Status.PENDING, 1, 0, Wait.OFFLINE)
    campaigns = [await seen.campaign([device, other], waiting, offline_tries=4) for _ in range(2)]
    refused = await seen.campaign([device], Row(Status.PENDING, 1, 0, Wait.REFUSED), offline_tries=4)
    foreign = await seen.campaign([device], waiting, tenant="globex", offline_tries=4)

    assert await apply(pool, sightings=[Sighting(TENANT, device)]) == []

    for campaign in campaigns:
        row = await seen.row(campaign, device)
        assert (row["wait"], row["offline_tries"]) == (None, 0)
        assert await _wait(seen, campaign, device) <= 0
        assert (await seen.row(campaign, other))["wait"] == "offline"
    assert (await seen.row(refused, device))["wait"] == "refused"
    assert (await seen.row(foreign, device))["wait"] == "offline"


async def test_a_late_result_is_not_taken_for_a_word_of_the_device(pool: db.Pool, seen: World) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Row(Status.PENDING, 1, 0, Wait.OFFLINE), offline_tries=2)
    await apply(pool, heard(campaign, device, Event.NO_SUBSCRIBER))
    row = await seen.row(campaign, device)
    assert (row["wait"], row["offline_tries"]) == ("offline", 2)


async def test_an_error_stays_while_the_retry_waits_and_goes_with_success(pool: db.Pool, seen: World) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Row(Status.INSTALLING, 1, 0))
    failed = heard(campaign, device, Event.FAILED)._replace(error_code="flash_full", error_message="no room")
    [applied] = await apply(pool, failed)
    row = await seen.row(campaign, device)
    assert (row["status"], row["error_code"], row["error_message"]) == ("PENDING", "flash_full", "no room")
    assert (applied.failures, applied.error_code) == (1, "flash_full")
    assert row["completed_at"] is None

    await apply(pool, heard(campaign, device, Event.SUCCESS))
    row = await seen.row(campaign, device)
    assert (row["status"], row["error_code"], row["error_message"], row["progress_pct"]) == ("SUCCESS", None, None, 100)
    assert row["completed_at"] is not None
    assert row["dispatched_at"] is not None, "a success says that the command was out"


async def test_the_brokers_refusal_is_kept_as_the_rows_error(pool: db.Pool, seen: World) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Q1)
    await apply(pool, heard(campaign, device, Event.REFUSED)._replace(error_code="broker_refused_135"))
    assert (await seen.row(campaign, device))["error_code"] == "broker_refused_135"


async def test_progress_of_a_step_never_goes_back(pool: db.Pool, seen: World) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Q1)
    for progress, shown in [(40, 40), (10, 40), (None, 40), (90, 90)]:
        await apply(pool, heard(campaign, device, Event.DOWNLOADING)._replace(progress=progress))
        assert (await seen.row(campaign, device))["progress_pct"] == shown
    await apply(pool, heard(campaign, device, Event.INSTALLING)._replace(progress=5))
    assert (await seen.row(campaign, device))["progress_pct"] == 5


async def test_times_tell_when_a_command_was_out_and_when_the_device_began(pool: db.Pool, seen: World) -> None:
    devices = names(2)
    campaign = await seen.campaign(devices, Q1)
    published, silent_result = devices
    await apply(pool, heard(campaign, published, Event.PUBLISHED))
    row = await seen.row(campaign, published)
    assert row["dispatched_at"] is not None
    assert row["last_report_at"] is None
    await apply(pool, heard(campaign, silent_result, Event.DOWNLOADING))
    row = await seen.row(campaign, silent_result)
    assert row["dispatched_at"] == row["started_at"] == row["last_report_at"]


async def test_a_device_is_noted_as_seen_once_a_minute_and_its_version_at_once(pool: db.Pool, seen: World) -> None:
    [device] = names(1)
    await seen.register([device])
    await _see(pool, device, None)
    first = await seen.device(device)
    assert first["last_seen_at"] is not None
    assert first["current_version"] == "1.0"

    await _see(pool, device, None)
    assert (await seen.device(device))["last_seen_at"] == first["last_seen_at"]
    await _see(pool, device, "1.1")
    assert (await seen.device(device))["current_version"] == "1.1"

    await seen.sql.execute("UPDATE devices SET last_seen_at = now() - interval '61 s' WHERE device_id = $1", device)
    await _see(pool, device, None)
    later = await seen.device(device)
    assert later["last_seen_at"] > first["last_seen_at"]
    assert later["current_version"] == "1.1"


async def test_a_success_that_does_not_count_says_nothing_of_the_version(pool: db.Pool, seen: World) -> None:
    succeeds, is_late = devices = names(2)
    await seen.register(devices)
    campaign = await seen.campaign()
    await seen.rows(campaign, [(succeeds, Row(Status.INSTALLING, 1, 0)), (is_late, Row(Status.FAILED, 1, 3))])
    events = [heard(campaign, device, Event.SUCCESS) for device in devices]
    await apply(pool, *events, sightings=[Sighting(TENANT, device, "2.0", campaign) for device in devices])
    assert (await seen.device(succeeds))["current_version"] == "2.0"
    late = await seen.device(is_late)
    assert late["current_version"] == "1.0"
    assert late["last_seen_at"] is not None


async def test_of_several_words_on_a_version_the_last_that_counts_is_noted(pool: db.Pool, seen: World) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device], Row(Status.INSTALLING, 1, 0))
    success = Sighting(TENANT, device, "2.0", campaign)

    async def says(*words: Sighting, events: Sequence[Heard] = ()) -> str:
        await apply(pool, *events, sightings=words)
        return str((await seen.device(device))["current_version"])

    assert await says(Sighting(TENANT, device, "1.5"), Sighting(TENANT, device, "1.6")) == "1.6"
    done = heard(campaign, device, Event.SUCCESS)
    assert await says(Sighting(TENANT, device, "1.7"), success, events=[done]) == "2.0"
    assert await says(Sighting(TENANT, device, "3.0"), success, events=[done]) == "3.0", "it had succeeded before"


async def test_a_version_is_noted_when_no_row_changes(pool: db.Pool, seen: World) -> None:
    [device] = names(1)
    await seen.register([device])
    [applied] = await apply(
        pool, heard(1_000_000, device, Event.DOWNLOADING), sightings=[Sighting(TENANT, device, "1.1")]
    )
    assert applied.was is None
    assert (await seen.device(device))["current_version"] == "1.1"


@pytest.mark.parametrize(
    ("status", "event", "in_place"),
    [
        (Status.DISPATCHED, Event.DOWNLOADING, 1),
        (Status.DOWNLOADING, Event.INSTALLING, 1),
        (Status.INSTALLING, Event.SUCCESS, 0),
    ],
)
async def test_what_a_device_reports_on_its_way_touches_no_index(
    pool: db.Pool, seen: World, status: Status, event: Event, in_place: int
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Row(status, 1, 0))
    async with db.transaction(pool) as connection:
        before = await _updates(connection)
        await store.apply(connection, [heard(campaign, device, event)], [], {campaign: 3}, BACKOFF)
        after = await _updates(connection)
    assert [now - then for then, now in zip(before, after, strict=True)] == [1, in_place]


async def _updates(connection: db.Connection) -> list[int]:
    """Of rows of campaigns, by this connection: all, and those in place."""
    row = await connection.fetchrow(
        "SELECT pg_stat_get_xact_tuples_updated(t), pg_stat_get_xact_tuples_hot_updated(t)"
        "  FROM CAST('ota_device_status' AS regclass) t"
    )
    return list(row or ())


async def _see(pool: db.Pool, device: str, version: str | None) -> None:
    await apply(pool, sightings=[Sighting(TENANT, device, version)])


async def _wait(seen: World, campaign: int, device: str) -> float:
    """Seconds until the row is due, some hundredths late."""
    due: datetime = (await seen.row(campaign, device))["next_attempt_at"]
    return (due - datetime.now(UTC)) / timedelta(seconds=1)
