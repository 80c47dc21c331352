"""What successive readings of a campaign tell: its rate, the time left, whether it is over, why devices failed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from local_stack.demo.api import Json

WAITING, AT_WORK = ("PENDING", "QUEUED"), ("DISPATCHED", "DOWNLOADING", "INSTALLING")
FINISHED = ("SUCCESS", "FAILED", "SKIPPED")
STATUSES = (*WAITING, *AT_WORK, *FINISHED)
WINDOW_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A campaign as the API answered, `at` seconds after the start."""

    at: float
    campaign: Json

    @property
    def counts(self) -> dict[str, int]:
        breakdown = self.campaign["status_breakdown"]
        return {status: breakdown.get(status, 0) for status in STATUSES}

    @property
    def is_settled(self) -> bool:
        """The campaign has ended, and no device is left that is not finished."""
        ended = self.campaign["status"] in ("COMPLETED", "ABORTED")
        return ended and not any(self.counts[status] for status in (*WAITING, *AT_WORK))

    @property
    def reason(self) -> str:
        """Why the campaign has its status, or nothing."""
        reason = self.campaign.get("status_reason")
        return f"{reason['code']}: {reason['detail']}" if reason else ""

    @property
    def ended_as_meant(self) -> bool:
        """Completed, or stopped by its own rule."""
        code = (self.campaign.get("status_reason") or {}).get("code", "")
        return self.is_settled and (self.campaign["status"] == "COMPLETED" or code.startswith("abort_"))


@dataclass(slots=True)
class Progress:
    """The readings so far; rates are devices per minute."""

    _dispatched: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])

    def add(self, reading: Reading) -> None:
        self._dispatched.append((reading.at, reading.campaign["dispatched_devices"]))

    @property
    def rate(self) -> float:
        """Devices dispatched for the first time, over the last seconds."""
        now = self._dispatched[-1][0]
        first = max((point for point in self._dispatched if now - point[0] >= WINDOW_SECONDS), default=(0.0, 0))
        return _per_minute(first, self._dispatched[-1])

    @property
    def mean_rate(self) -> float:
        """The same from the start until nine tenths were dispatched (the last ones were offline, or come late)."""
        enough = 0.9 * self._dispatched[-1][1]
        return _per_minute((0.0, 0), next(point for point in self._dispatched if point[1] >= enough))


def _per_minute(first: tuple[float, int], last: tuple[float, int]) -> float:
    seconds = last[0] - first[0]
    return 60 * (last[1] - first[1]) / seconds if seconds > 0 else 0.0


def seconds_left(reading: Reading) -> float | None:
    """Until all that waits is released at the promised rate; None when nothing waits or nothing is released."""
    waiting = sum(reading.counts[status] for status in WAITING)
    if not waiting or reading.campaign["status"] != "RUNNING":
        return None
    return 60 * waiting / float(reading.campaign["rollout_rate"])


def reasons(failed: Iterable[Json]) -> list[tuple[str, int]]:
    """Error codes with how many devices failed by them, the most frequent first."""
    return Counter(device["error_code"] or "unknown" for device in failed).most_common()


def apportion(counts: Iterable[int], width: int) -> list[int]:
    """Parts of a bar of `width` cells; whoever has a device is seen, and the bar is full (all zero: empty)."""
    values = list(counts)
    total = sum(values)
    if total == 0:
        return [0] * len(values)
    cells = [max(1, width * value // total) if value else 0 for value in values]
    while (rest := width - sum(cells)) != 0:
        exact = [width * value / total - cell for value, cell in zip(values, cells, strict=True)]
        change = 1 if rest > 0 else -1
        best = max((i for i, cell in enumerate(cells) if cell > 1 or change > 0), key=lambda i: change * exact[i])
        cells[best] += change
    return cells
