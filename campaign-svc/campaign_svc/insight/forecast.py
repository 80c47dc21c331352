"""A campaign's pace, pure: how fast commands go out, whether that is too slow, and when the last one will."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SLOT = timedelta(seconds=5)
WINDOW = timedelta(seconds=60)
LEAST_WINDOW = timedelta(seconds=10)
SLOW_SHARE = 0.8
"""Below this share of its rate a campaign is slow."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slot:
    """Commands that went out within the five seconds from `at`."""

    at: datetime
    dispatched: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """A stage from now on: devices that wait, its rate in devices per second, seconds that its gate holds at least.

    `soaking`: the gate's time is running already, beside what still goes out.
    """

    waiting: int
    rate: float
    soak: float
    soaking: bool = False


def window(since: datetime | None, now: datetime) -> datetime:
    """From when the pace is measured: a minute ago (to the slot), or `since`, the last control change."""
    minute_ago = now - WINDOW
    begin = minute_ago - (minute_ago - _EPOCH) % SLOT
    return begin if since is None else max(begin, since)


def actual_rate(slots: Iterable[Slot], since: datetime | None, now: datetime) -> float:
    """Commands per minute over the window; of one that is younger than ten seconds as if it were ten long."""
    begin = window(since, now)
    dispatched = sum(slot.dispatched for slot in slots if slot.at + SLOT > begin)
    return dispatched / (max(now - begin, LEAST_WINDOW) / WINDOW)


def is_slow(rate: float, actual: float, running_for: timedelta) -> bool:
    """Whether a campaign that has devices to send falls behind; rates per minute.

    Judged only after a whole window, and to one device: the slowest rates have but a few in it.
    """
    return running_for >= WINDOW and actual + 1 < SLOW_SHARE * rate


def eta(now: datetime, pace: float, stages: Sequence[Ahead], most: float | None) -> datetime | None:
    """When all devices will have been commanded: the first stage at `pace`, later ones at their rate.

    Devices per second; `most`: what the limit of devices in flight lets through. None: nothing waits, or it does not
    move at all.
    """
    seconds, end = 0.0, None
    for nth, stage in enumerate(stages):
        speed = pace if nth == 0 else min(stage.rate, stage.rate if most is None else most)
        if stage.waiting and speed <= 0:
            return None
        sending = stage.waiting / speed if stage.waiting else 0.0
        if stage.waiting:
            end = seconds + sending
        seconds += max(sending, stage.soak) if stage.soaking else sending + stage.soak
    return None if end is None else now + timedelta(seconds=round(end))


def throughput(limit: int | None, active: int, pace: float) -> float | None:
    """Devices per second that a limit of devices in flight lets through, if each takes as long as now; None: any."""
    if limit is None or active == 0 or pace <= 0:
        return None
    return limit * pace / active
