"""How a device must behave: its memory and an event in, its memory out; pure, with the time as an argument.

The memory says all there is to do: `unsent` what to publish, `at_hand` what to work on. It survives restarts.
"""

import re
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from fleetsim.wire import Command, Report, ReportStatus

LAST_REPORT_FOR = timedelta(hours=24)
"""For so long after it was first said, the last report is said again after a connect."""
UNSENT_MOST = 8
AHEAD_MOST = timedelta(days=1)
"""How far ahead of the device's time a command may have been issued."""
_ISSUED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""The only form in which times compare as text as they do as times."""


class Memory(msgspec.Struct, frozen=True):
    """What a device keeps. `handled` is the newest `issued_at` it has acted on, answered or left waiting."""

    version: str
    handled: str = ""
    at_hand: Command | None = None
    waiting: Command | None = None
    last: Report | None = None
    last_at: datetime | None = None
    unsent: tuple[Report, ...] = ()


class Subscribed(msgspec.Struct, frozen=True):
    """The device has connected and the broker has confirmed its subscription."""


class Received(msgspec.Struct, frozen=True):
    """A command has arrived."""

    command: Command


class Delivered(msgspec.Struct, frozen=True):
    """The broker has acknowledged a report as delivered to somebody."""

    report: Report


class Progressed(msgspec.Struct, frozen=True):
    """The download is `percent` done, 0 to 100."""

    campaign_id: int
    percent: int


class Downloaded(msgspec.Struct, frozen=True):
    """The file is here and its checksum right: it is being installed."""

    campaign_id: int


class Installed(msgspec.Struct, frozen=True):
    """The device runs the new version."""

    campaign_id: int


class Broke(msgspec.Struct, frozen=True):
    """The update has failed; `code` matches `[a-z0-9_]{1,64}`."""

    campaign_id: int
    code: str
    text: str


class RolledBack(msgspec.Struct, frozen=True):
    """The new version has given up and the old one runs again, which says so: a success, of the old version."""

    campaign_id: int


class FellSilent(msgspec.Struct, frozen=True):
    """The update has ended without the device being able to say how: it runs what it ran before."""

    campaign_id: int


Work = Progressed | Downloaded | Installed | Broke | RolledBack | FellSilent
Event = Subscribed | Received | Delivered | Work


def step(memory: Memory, event: Event, now: datetime) -> Memory:
    """The memory after an event; `now` with a time zone, by the best clock that the device can ask."""
    if isinstance(event, Subscribed):
        return _answer(memory, now)
    if isinstance(event, Received):
        return _received(memory, event.command, now)
    if isinstance(event, Delivered):
        return replace(memory, unsent=tuple(report for report in memory.unsent if report is not event.report))
    if memory.at_hand is None or memory.at_hand.campaign_id != event.campaign_id:
        return memory
    return _worked(memory, memory.at_hand, event, now)


def _received(memory: Memory, command: Command, now: datetime) -> Memory:
    if command.issued_at <= memory.handled:
        return _answer(memory, now)
    if not _is_believable(command.issued_at, now):  # remembered, it would make every later command an old one
        return _refuse(memory, command, "bad_time", f"issued_at {command.issued_at} cannot be, it is {now}", now)
    memory = replace(memory, handled=command.issued_at, waiting=None)
    if memory.at_hand is None:
        return _begin(memory, command, now)
    if memory.at_hand.campaign_id == command.campaign_id:
        return _go_on_as(memory, command, now)
    if command.expires_at <= now:
        return _refuse_expired(memory, command, now)
    return replace(memory, waiting=command)


def _is_believable(issued_at: str, now: datetime) -> bool:
    try:
        return bool(_ISSUED.fullmatch(issued_at)) and datetime.fromisoformat(issued_at) - now <= AHEAD_MOST
    except ValueError:
        return False


def _begin(memory: Memory, command: Command, now: datetime) -> Memory:
    if command.version == memory.version:
        return _say(memory, _report(command, "SUCCESS", version=memory.version), now)
    if command.expires_at <= now:
        return _refuse_expired(memory, command, now)
    return _say(replace(memory, at_hand=command), _report(command, "DOWNLOADING", progress=0), now)


def _refuse_expired(memory: Memory, command: Command, now: datetime) -> Memory:
    return _refuse(memory, command, "expired", f"expired at {command.expires_at}, it is {now}", now)


def _refuse(memory: Memory, command: Command, code: str, text: str, now: datetime) -> Memory:
    """A command that is not acted on fails under its own attempt: silence would cost its whole time limit.

    What goes on, or has ended, under the very attempt or campaign is not unsaid by that: it is said once more.
    """
    last, hand = memory.last, memory.at_hand
    if last is not None and (last.campaign_id, last.attempt) == (command.campaign_id, command.attempt):
        return _answer(memory, now)
    if hand is not None and hand.campaign_id == command.campaign_id:
        return _answer(memory, now)
    report = _report(command, "FAILED", error=text, error_code=code)
    return _queue(memory, report) if hand is not None or code == "bad_time" else _say(memory, report, now)


def _go_on_as(memory: Memory, command: Command, now: datetime) -> Memory:
    """A newer attempt of the campaign at hand: the same work, from now on reported under that attempt."""
    state = memory.last or _report(command, "DOWNLOADING")
    return _say(replace(memory, at_hand=command), replace(state, attempt=command.attempt), now)


def _worked(memory: Memory, command: Command, event: Work, now: datetime) -> Memory:
    if isinstance(event, Progressed):
        return _say(memory, _report(command, "DOWNLOADING", progress=event.percent), now)
    if isinstance(event, Downloaded):
        return _say(memory, _report(command, "INSTALLING"), now)
    memory = replace(memory, at_hand=None)
    if isinstance(event, Installed):
        memory = replace(memory, version=command.version)
        memory = _say(memory, _report(command, "SUCCESS", version=command.version), now)
    elif isinstance(event, RolledBack):
        memory = _say(memory, _report(command, "SUCCESS", version=memory.version), now)
    elif isinstance(event, Broke):
        memory = _say(memory, _report(command, "FAILED", error=event.text, error_code=event.code), now)
    return _next(memory, now)


def _next(memory: Memory, now: datetime) -> Memory:
    """Begin what waited."""
    command, memory = memory.waiting, replace(memory, waiting=None)
    return memory if command is None else _begin(memory, command, now)


def _answer(memory: Memory, now: datetime) -> Memory:
    """The present state: the last report once more (a copy: it is delivered for itself), or what the device runs."""
    recent = memory.last_at is not None and now - memory.last_at <= LAST_REPORT_FOR
    if memory.last is not None and (recent or memory.at_hand is not None):
        return _queue(memory, replace(memory.last))
    return _queue(memory, Report(version=memory.version))


def _say(memory: Memory, report: Report, now: datetime) -> Memory:
    return _queue(replace(memory, last=report, last_at=now), report)


def _queue(memory: Memory, report: Report) -> Memory:
    """Behind what is unsent; of one attempt only the newest state is kept. The oldest goes when there are too many."""
    key = report.campaign_id, report.attempt
    older = tuple(waiting for waiting in memory.unsent if (waiting.campaign_id, waiting.attempt) != key)
    return replace(memory, unsent=(*older, report)[-UNSENT_MOST:])


def _report(
    command: Command,
    status: ReportStatus,
    *,
    progress: int | None = None,
    error: str | None = None,
    error_code: str | None = None,
    version: str | None = None,
) -> Report:
    return Report(command.campaign_id, status, progress, error, error_code, version, command.attempt)
