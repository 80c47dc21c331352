"""The states of a device in a campaign, and what every event does to them: pure, and said nowhere else.

The SQL of campaign-svc and status-ingest-svc is checked against `step` for every row, event and attempt.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Status of one device in one campaign."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    DISPATCHED = "DISPATCHED"
    DOWNLOADING = "DOWNLOADING"
    INSTALLING = "INSTALLING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class CampaignStatus(StrEnum):
    """Status of a campaign."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"


class Event(StrEnum):
    """What can happen to a device's row. Results and reports carry an attempt, the others do not.

    UNFIT: a claim finds that the device no longer fits the firmware, or is not registered any more. TAKE_IN: at the
    campaign's start a device that did not fit when it was made does. EXCLUDE: an operator takes a device out; GIVE_UP:
    the same in an aborted campaign, where what is at work need not be waited for.
    """

    CLAIM = "claim"
    OVERDUE = "overdue"
    TIMEOUT = "timeout"
    END = "end"
    SUPERSEDED = "superseded"
    UNFIT = "unfit"
    TAKE_IN = "take in"
    EXCLUDE = "exclude"
    GIVE_UP = "give up"
    RETRY = "retry"
    PUBLISHED = "PUBLISHED"
    NO_SUBSCRIBER = "NO_SUBSCRIBER"
    REFUSED = "REFUSED"
    RETURNED = "RETURNED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    HEARD = "heard"
    DOWNLOADING = "DOWNLOADING"
    INSTALLING = "INSTALLING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class Wait(StrEnum):
    """Why a PENDING device is held back."""

    RETRY = "retry"
    OFFLINE = "offline"
    REFUSED = "refused"


class Row(NamedTuple):
    """What the rules look at of a row of `ota_device_status`."""

    status: Status
    attempt: int
    failures: int
    wait: Wait | None = None


class Effect(StrEnum):
    """What an event did."""

    CHANGED = "changed"
    PROGRESS = "progress"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


S, E = Status, Event
FINISHED = frozenset({S.SUCCESS, S.FAILED, S.SKIPPED})
ACTIVE = frozenset({S.QUEUED, S.DISPATCHED, S.DOWNLOADING, S.INSTALLING})
AT_WORK = frozenset({S.DISPATCHED, S.DOWNLOADING, S.INSTALLING})
RESULTS = frozenset({E.PUBLISHED, E.NO_SUBSCRIBER, E.REFUSED, E.RETURNED, E.EXPIRED, E.CANCELLED})
REPORTS = frozenset({E.DOWNLOADING, E.INSTALLING, E.SUCCESS, E.FAILED})
_DOWNLOAD_FROM = frozenset({S.QUEUED, S.DISPATCHED})
_INSTALL_FROM = _DOWNLOAD_FROM | {S.DOWNLOADING}
EXCLUDABLE = frozenset({S.PENDING, S.QUEUED})
"""What an operator may take out of a live campaign: nothing of it is with the device yet, as far as is known."""
GIVEN_UP = EXCLUDABLE | AT_WORK
"""What an operator may take out of an aborted campaign."""
_SKIPPED_FROM: dict[Event, frozenset[Status]] = {
    E.SUPERSEDED: frozenset({S.PENDING}),
    E.UNFIT: frozenset({S.PENDING}),
    E.EXCLUDE: EXCLUDABLE,
    E.GIVE_UP: GIVEN_UP,
}


def step(row: Row, event: Event, *, attempt: int | None = None, max_attempts: int = 3) -> tuple[Row, Effect]:
    """The row after an event, and what it did.

    `attempt` (from 1) is the message's and None where a report left it out; `max_attempts` from 1 to 10.
    """
    if event in RESULTS:
        return _result(row, event, attempt)
    if event in REPORTS:
        return _report(row, event, attempt, max_attempts)
    return _own(row, event, max_attempts)


def _own(row: Row, event: Event, max_attempts: int) -> tuple[Row, Effect]:
    """Events of the system itself, and a device being heard."""
    status = row.status
    if event is E.CLAIM and status is S.PENDING:
        return _to(Row(S.QUEUED, row.attempt + 1, row.failures))
    if event is E.OVERDUE and status is S.QUEUED:
        return _to(Row(S.PENDING, row.attempt, row.failures))
    if event is E.TIMEOUT and status in AT_WORK:
        return _fail(row, max_attempts)
    if event is E.END and status is S.PENDING:
        return _to(Row(S.FAILED if row.failures else S.SKIPPED, row.attempt, row.failures))
    if status in _SKIPPED_FROM.get(event, ()):
        return _to(Row(S.SKIPPED, row.attempt, row.failures))
    if event is E.TAKE_IN and status is S.SKIPPED and row.attempt == 0:
        return _to(Row(S.PENDING, 0, 0))
    if event is E.RETRY and status is S.FAILED:
        return _to(Row(S.PENDING, row.attempt, 0))
    if event is E.HEARD and status is S.PENDING and row.wait is Wait.OFFLINE:
        return _to(row._replace(wait=None))
    return row, Effect.IGNORED


def _result(row: Row, event: Event, attempt: int | None) -> tuple[Row, Effect]:
    """A dispatch result: counts only for a QUEUED row of its attempt."""
    if attempt is None or row.attempt == 0 or attempt > row.attempt:
        return row, Effect.QUARANTINED
    if attempt < row.attempt or row.status is not S.QUEUED:
        return row, Effect.IGNORED
    if event is E.PUBLISHED:
        return _to(Row(S.DISPATCHED, row.attempt, row.failures))
    wait = {E.NO_SUBSCRIBER: Wait.OFFLINE, E.REFUSED: Wait.REFUSED}.get(event)
    return _to(Row(S.PENDING, row.attempt, row.failures, wait))


def _report(row: Row, event: Event, attempt: int | None, max_attempts: int) -> tuple[Row, Effect]:
    """A device's report: counts only for the row's attempt, never backwards, never on a finished row."""
    status = row.status
    if row.attempt == 0 or (attempt is not None and attempt > row.attempt):
        return row, Effect.QUARANTINED
    bare = attempt is None
    if status in FINISHED or (attempt is not None and attempt < row.attempt):
        return row, Effect.IGNORED
    if bare and (status is S.PENDING or (status is S.QUEUED and row.attempt > 1)):
        return row, Effect.IGNORED
    if event is E.SUCCESS:
        return _to(Row(S.SUCCESS, row.attempt, row.failures))
    if status is S.PENDING:
        return row, Effect.IGNORED
    if event is E.FAILED:
        return _fail(row, max_attempts)
    if event.value == status.value:
        return row, Effect.PROGRESS
    if status in (_DOWNLOAD_FROM if event is E.DOWNLOADING else _INSTALL_FROM):
        return _to(Row(S(event.value), row.attempt, row.failures))
    return row, Effect.IGNORED


def _fail(row: Row, max_attempts: int) -> tuple[Row, Effect]:
    failures = row.failures + 1
    if failures < max_attempts:
        return _to(Row(S.PENDING, row.attempt, failures, Wait.RETRY))
    return _to(Row(S.FAILED, row.attempt, failures))


def _to(row: Row) -> tuple[Row, Effect]:
    return row, Effect.CHANGED


class Heard(NamedTuple):
    """One result or report about a device in a campaign, as ingest merges them.

    `attempt` is None where the report left it out; such reports are written in a transaction of their own.
    `progress` in percent, 0 to 100.
    """

    tenant_id: str
    campaign_id: int
    device_id: str
    attempt: int | None
    event: Event
    progress: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    version: str | None = None
    reason_code: int | None = None

    @property
    def key(self) -> tuple[int, str]:
        return self.campaign_id, self.device_id


_FURTHEST = {E.SUCCESS: 7, E.FAILED: 6, E.INSTALLING: 5, E.DOWNLOADING: 4, E.PUBLISHED: 3}


def merge(batch: Iterable[Heard]) -> list[Heard]:
    """At most one event per campaign and device: the highest attempt, and of it the furthest.

    Exact: what is left does to any row what the whole batch would have done, in some order. Of two equally far the
    first stays (a report can only repeat it), with the higher progress of both. All of a batch carry an attempt,
    or none does.
    """
    kept: dict[tuple[int, str], Heard] = {}
    for heard in batch:
        have = kept.get(heard.key)
        if have is None or _rank(heard) > _rank(have):
            kept[heard.key] = heard
        elif _rank(heard) == _rank(have) and (heard.progress or 0) > (have.progress or 0):
            kept[heard.key] = have._replace(progress=heard.progress)
    return list(kept.values())


def _rank(heard: Heard) -> tuple[int, int]:
    return heard.attempt or 0, _FURTHEST.get(heard.event, 1)
