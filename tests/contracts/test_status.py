"""The rules of device rows: the table as people read it, against the one function; merging against all orders."""

from itertools import combinations_with_replacement, permutations

import pytest

from pulse.contracts.status import (
    ACTIVE,
    FINISHED,
    REPORTS,
    RESULTS,
    Effect,
    Event,
    Heard,
    Row,
    Status,
    Wait,
    merge,
    step,
)

# Rows in columns PENDING … INSTALLING, then all finished ones. "-": untouched. f: a failure. p: progress only.
TABLE = """
event         | PENDING | QUEUED      | DISPATCHED  | DOWNLOADING | INSTALLING | FINISHED
PUBLISHED     | -       | DISPATCHED  | -           | -           | -          | -
NO_SUBSCRIBER | -       | PENDING     | -           | -           | -          | -
REFUSED       | -       | PENDING     | -           | -           | -          | -
RETURNED      | -       | PENDING     | -           | -           | -          | -
EXPIRED       | -       | PENDING     | -           | -           | -          | -
CANCELLED     | -       | PENDING     | -           | -           | -          | -
DOWNLOADING   | -       | DOWNLOADING | DOWNLOADING | p           | -          | -
INSTALLING    | -       | INSTALLING  | INSTALLING  | INSTALLING  | p          | -
SUCCESS       | SUCCESS | SUCCESS     | SUCCESS     | SUCCESS     | SUCCESS    | -
FAILED        | -       | f           | f           | f           | f          | -
claim         | QUEUED  | -           | -           | -           | -          | -
overdue       | -       | PENDING     | -           | -           | -          | -
timeout       | -       | -           | f           | f           | f          | -
superseded    | SKIPPED | -           | -           | -           | -          | -
unfit         | SKIPPED | -           | -           | -           | -          | -
exclude       | SKIPPED | SKIPPED     | -           | -           | -          | -
give up       | SKIPPED | SKIPPED     | SKIPPED     | SKIPPED     | SKIPPED    | -
"""


def cells() -> list[tuple[Event, Status, str]]:
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
    found = []
    for name, *row in lines:
        for column, cell in zip(header[1:], row, strict=True):
            statuses = sorted(FINISHED) if column == "FINISHED" else [Status(column)]
            found += [(Event(name), status, cell) for status in statuses]
    return found


@pytest.mark.parametrize(("event", "status", "cell"), cells())
def test_every_event_does_to_every_status_what_the_table_says(event: Event, status: Status, cell: str) -> None:
    row = Row(status, 2, 0)
    after, effect = step(row, event, attempt=2, max_attempts=3)
    if cell == "-":
        assert (after, effect) == (row, Effect.IGNORED)
    elif cell == "p":
        assert (after, effect) == (row, Effect.PROGRESS)
    elif cell == "f":
        assert (after, effect) == (Row(Status.PENDING, 2, 1, Wait.RETRY), Effect.CHANGED)
    else:
        assert (after.status, after.failures, effect) == (Status(cell), 0, Effect.CHANGED)
        assert after.attempt == (3 if event is Event.CLAIM else 2)


@pytest.mark.parametrize("event", sorted(RESULTS | REPORTS))
@pytest.mark.parametrize("status", list(Status))
def test_messages_of_another_attempt_never_move_a_row(event: Event, status: Status) -> None:
    row = Row(status, 2, 1)
    assert step(row, event, attempt=1) == (row, Effect.IGNORED)
    assert step(row, event, attempt=3) == (row, Effect.QUARANTINED)
    never_commanded = Row(Status.PENDING, 0, 0)
    assert step(never_commanded, event, attempt=1) == (never_commanded, Effect.QUARANTINED)


@pytest.mark.parametrize("event", sorted(REPORTS))
def test_a_report_without_attempt_counts_only_where_it_cannot_be_an_older_one(event: Event) -> None:
    for status in Status:
        for attempt in (1, 2):
            row = Row(status, attempt, 0)
            safe = status in ACTIVE and not (status is Status.QUEUED and attempt > 1)
            with_it = step(row, event, attempt=attempt)
            assert step(row, event) == (with_it if safe else (row, Effect.IGNORED))


def test_the_last_failure_ends_a_device() -> None:
    row = Row(Status.INSTALLING, 3, 2)
    assert step(row, Event.FAILED, attempt=3, max_attempts=3)[0] == Row(Status.FAILED, 3, 3)
    assert step(row, Event.TIMEOUT, max_attempts=3)[0] == Row(Status.FAILED, 3, 3)


def test_the_end_of_a_campaign_skips_who_never_failed_and_fails_the_others() -> None:
    assert step(Row(Status.PENDING, 1, 0), Event.END)[0].status is Status.SKIPPED
    assert step(Row(Status.PENDING, 1, 1, Wait.RETRY), Event.END)[0].status is Status.FAILED
    at_work = Row(Status.DOWNLOADING, 1, 0)
    assert step(at_work, Event.END) == (at_work, Effect.IGNORED)


def test_an_operators_retry_keeps_the_attempt_and_forgets_the_failures() -> None:
    assert step(Row(Status.FAILED, 3, 3), Event.RETRY)[0] == Row(Status.PENDING, 3, 0)
    for status in (Status.SUCCESS, Status.SKIPPED, Status.DISPATCHED):
        assert step(Row(status, 1, 0), Event.RETRY)[1] is Effect.IGNORED


def test_only_a_device_that_was_skipped_and_never_commanded_is_taken_in() -> None:
    assert step(Row(Status.SKIPPED, 0, 0), Event.TAKE_IN) == (Row(Status.PENDING, 0, 0), Effect.CHANGED)
    for row in (Row(Status.SKIPPED, 1, 0), Row(Status.SUCCESS, 1, 0), Row(Status.FAILED, 3, 3)):
        assert step(row, Event.TAKE_IN) == (row, Effect.IGNORED)


def test_only_an_offline_device_is_released_by_being_heard() -> None:
    assert step(Row(Status.PENDING, 1, 0, Wait.OFFLINE), Event.HEARD)[0] == Row(Status.PENDING, 1, 0)
    for wait in (None, Wait.RETRY, Wait.REFUSED):
        assert step(Row(Status.PENDING, 1, 0, wait), Event.HEARD)[1] is Effect.IGNORED


def heard(event: Event, attempt: int, progress: int | None = None) -> Heard:
    return Heard("acme", 7, "d1", attempt, event, progress)


def test_a_merged_batch_does_what_the_events_would_have_done_in_some_order() -> None:
    events = [heard(event, attempt) for event in sorted(RESULTS | REPORTS) for attempt in (1, 2)]
    rows = [Row(status, a, f) for status in Status for a in (0, 1, 2) for f in (0, 1) if a or status is Status.PENDING]
    checked = 0
    for batch in (*combinations_with_replacement(events, 2), *combinations_with_replacement(events[::2], 3)):
        for row in rows:
            if max(e.attempt or 0 for e in batch) > row.attempt:
                continue  # no message of an attempt that was not committed before
            outcomes = set()
            for order in permutations(batch):
                after = row
                for e in order:
                    after = step(after, e.event, attempt=e.attempt)[0]
                outcomes.add(after)
            for order in permutations(batch):
                [one] = merge(order)
                assert step(row, one.event, attempt=one.attempt)[0] in outcomes, (row, order, one)
                checked += 1
    assert checked > 5000


def test_merging_keeps_devices_and_campaigns_apart_and_the_highest_progress() -> None:
    batch = [
        heard(Event.DOWNLOADING, 1, 10),
        heard(Event.DOWNLOADING, 1, 40),
        heard(Event.DOWNLOADING, 1, 20),
        Heard("acme", 7, "d2", 1, Event.PUBLISHED),
        Heard("acme", 8, "d1", 1, Event.FAILED),
    ]
    merged = {one.key: one for one in merge(batch)}
    assert set(merged) == {(7, "d1"), (7, "d2"), (8, "d1")}
    assert merged[7, "d1"].progress == 40
