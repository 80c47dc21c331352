"""How a simulated device turns out: what goes wrong with it, how long things take, when it is away; seeded."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

Span = tuple[float, float]
"""Least and most, in seconds."""


class Failure(StrEnum):
    """What can go wrong in an update."""

    DOWNLOAD = "download"
    CHECKSUM = "checksum"
    INSTALL = "install"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a fleet is like. Shares are 0 to 1, times in seconds; the same seed gives the same fleet.

    `fail`: share of devices whose updates fail, every time. `flaky`: share whose first attempt at a campaign fails.
    `offline`: share of the time that a device has no connection to the broker, in spells of `offline_seconds`.
    `fail_seconds`: how long an update takes that fails (a missing file fails at once); None: as long as the others.
    Raises ValueError for a share or a span that is none.
    """

    fail: float = 0.0
    flaky: float = 0.0
    failures: tuple[Failure, ...] = tuple(Failure)
    offline: float = 0.0
    offline_seconds: Span = (3.0, 10.0)
    download_seconds: Span = (1.0, 3.0)
    install_seconds: Span = (1.0, 3.0)
    fail_seconds: Span | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("fail", "flaky"):
            _require(0 <= getattr(self, name) <= 1, f"{name} is a share from 0 to 1")
        _require(self.fail + self.flaky <= 1, "fail and flaky together are at most 1")
        _require(0 <= self.offline <= 0.9, "offline is a share from 0 to 0.9")
        _require(bool(self.failures) or not (self.fail or self.flaky), "failing devices need a kind of failure")
        for name in ("offline_seconds", "download_seconds", "install_seconds", "fail_seconds"):
            least, most = getattr(self, name) or (0, 0)
            _require(0 <= least <= most, f"{name} goes from a least to a most")
        _require(self.offline == 0 or self.offline_seconds[1] > 0, "offline spells need a length")


def _require(holds: bool, text: str) -> None:
    if not holds:
        raise ValueError(text)


@dataclass(frozen=True, slots=True)
class Times:
    """How long one update takes at least, in seconds."""

    download: float
    install: float


class Nature:
    """One device's draw of all that; its fate does not depend on what else is drawn, or when."""

    def __init__(self, behaviour: Behaviour, name: str) -> None:
        self._behaviour = behaviour
        self._name = name
        self._times = self._random("times")
        fate = self._random("fate")
        draw = fate.random()
        self._kind = fate.choice(behaviour.failures) if behaviour.failures else Failure.INSTALL
        self._fails = draw < behaviour.fail
        self._flaky = not self._fails and draw < behaviour.fail + behaviour.flaky

    def failure(self, attempt: int) -> Failure | None:
        """What goes wrong with this attempt, from 1."""
        return self._kind if self._fails or (self._flaky and attempt == 1) else None

    def times(self, failure: Failure | None) -> Times:
        """A draw for one update, which ends with this failure."""
        behaviour = self._behaviour
        if failure is None or behaviour.fail_seconds is None:
            return Times(
                self._times.uniform(*behaviour.download_seconds), self._times.uniform(*behaviour.install_seconds)
            )
        seconds = self._times.uniform(*behaviour.fail_seconds)
        installs = failure in (Failure.INSTALL, Failure.SILENCE)
        return Times(seconds / 2, seconds / 2) if installs else Times(seconds, 0.0)

    def backoff(self, tries: int, *, first: float = 0.5, most: float = 30.0) -> float:
        """Seconds to wait after so many failed tries in a row (from 0): doubled each time, 20 % either way."""
        doubled: float = first * 2.0 ** min(tries, 16)
        return min(doubled, most) * self._times.uniform(0.8, 1.2)

    def spells(self) -> Iterator[tuple[float, float]]:
        """Seconds online and then offline, again and again; nothing for a device that is always there."""
        share = self._behaviour.offline
        if share == 0:
            return
        away = self._random("away")
        mean_online = sum(self._behaviour.offline_seconds) / 2 * (1 - share) / share
        online = 0.0 if away.random() < share else away.expovariate(1 / mean_online)
        while True:
            yield online, away.uniform(*self._behaviour.offline_seconds)
            online = away.expovariate(1 / mean_online)

    def _random(self, use: str) -> Random:
        return Random(f"{self._behaviour.seed}/{self._name}/{use}")
