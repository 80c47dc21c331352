"""What successive readings of a campaign tell: its rate now and on the whole."""

from dataclasses import dataclass, field

from local_stack.watch.reading import Reading

WINDOW_SECONDS = 6.0
Point = tuple[float, int]
"""When, in seconds, and how many devices had been commanded by then."""


@dataclass(slots=True)
class Progress:
    """The readings so far; rates are devices commanded for the first time per minute."""

    _changes: list[Point] = field(default_factory=list)
    _now: float = 0.0

    def add(self, reading: Reading) -> None:
        dispatched = int(reading.campaign["dispatched_devices"])
        self._now = reading.at
        if not self._changes or self._changes[-1][1] != dispatched:
            self._changes.append((reading.at, dispatched))

    @property
    def rate(self) -> float:
        """Over the last seconds; 0 as long as there is but one reading."""
        if not self._changes:
            return 0.0
        since = max(self._changes[0][0], self._now - WINDOW_SECONDS)
        before = next(n for at, n in reversed(self._changes) if at <= since)
        return _per_minute((since, before), (self._now, self._changes[-1][1]))

    @property
    def mean_rate(self) -> float | None:
        """From the first reading until nine tenths were commanded (the last ones come late); None: nothing was seen."""
        if len(self._changes) < 2:
            return None
        first, last = self._changes[0], self._changes[-1]
        enough = first[1] + 0.9 * (last[1] - first[1])
        return _per_minute(first, next(point for point in self._changes if point[1] >= enough))


def _per_minute(first: Point, last: Point) -> float:
    seconds = last[0] - first[0]
    return 60 * (last[1] - first[1]) / seconds if seconds > 0 else 0.0
