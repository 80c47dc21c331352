"""How a simulated device turns out: what goes wrong with it, how long things take, when it is away; all seeded."""

from dataclasses import dataclass
from enum import StrEnum
from math import log

from fleetsim.draws import LogNormal, Span, Spread, draws, is_spread, value
from fleetsim.wire import Command, Report


class Failure(StrEnum):
    """What can go wrong in an update."""

    DOWNLOAD = "download"
    CHECKSUM = "checksum"
    INSTALL = "install"
    SILENCE = "silence"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a fleet is like. Shares are 0 to 1, times in seconds, sizes in bytes; the same seed gives the same fleet.

    `fail`: share of devices whose updates fail, every time. `flaky`: share whose first attempt at a campaign fails.
    `failures`: the kinds, drawn evenly; a kind that stands there twice is drawn twice as often.
    `offline`: share of the time that a device has no connection to the broker, in spells of `offline_seconds`.
    `fail_seconds`: how long an update takes that fails (a missing file fails at once); None: as long as the others.
    `bandwidth`: bytes a second, instead of `download_seconds`. `size`: of a download that is only simulated, instead of
    the command's. `fetch`: share of the downloads that are real. `progress_percent`: a report each so many percent;
    100: none between the beginning and the end.
    `duplicates`: share of the reports sent twice. `late`: share that is under way for `late_seconds` while newer ones
    overtake it. Each `storm_every` seconds `storm_share` of the devices lose their connection in the same moment and
    are back after `storm_seconds`. `clock_ahead`: how far the devices' clocks are ahead; nobody tells them the time.
    Raises ValueError for a share or a spread that is none.
    """

    fail: float = 0.0
    flaky: float = 0.0
    failures: tuple[Failure, ...] = tuple(Failure)
    offline: float = 0.0
    offline_seconds: Span = (3.0, 10.0)
    download_seconds: Spread = (1.0, 3.0)
    install_seconds: Spread = (1.0, 3.0)
    fail_seconds: Spread | None = None
    bandwidth: Spread | None = None
    size: Spread | None = None
    fetch: float = 1.0
    progress_percent: int = 20
    duplicates: float = 0.0
    late: float = 0.0
    late_seconds: Span = (1.0, 10.0)
    storm_every: float = 0.0
    storm_share: float = 0.0
    storm_seconds: Span = (0.5, 2.0)
    clock_ahead: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("fail", "flaky", "fetch", "duplicates", "late", "storm_share"):
            _require(0 <= getattr(self, name) <= 1, f"{name} is a share from 0 to 1")
        _require(self.fail + self.flaky <= 1, "fail and flaky together are at most 1")
        _require(0 <= self.offline <= 0.9, "offline is a share from 0 to 0.9")
        _require(bool(self.failures) or not (self.fail or self.flaky), "failing devices need a kind of failure")
        for name in ("offline", "download", "install", "fail", "late", "storm"):
            spread = getattr(self, f"{name}_seconds") or (0, 0)
            _require(is_spread(spread), f"{name}_seconds goes from a least to a most")
        _require(self.offline == 0 or self.offline_seconds[1] > 0, "offline spells need a length")
        _require(is_spread(self.size or (0, 0)), "size is a number of bytes")
        _require(_is_positive(self.bandwidth), "bandwidth is more than 0 bytes a second")
        _require(1 <= self.progress_percent <= 100, "progress_percent is 1 to 100")
        _require((self.storm_every > 0) == (self.storm_share > 0), "storms need both a share and a time between them")


def _is_positive(spread: Spread | None) -> bool:
    if isinstance(spread, LogNormal):
        return spread.median > 0 and is_spread(spread)
    return spread is None or (spread[0] > 0 and is_spread(spread))


def _require(holds: bool, text: str) -> None:
    if not holds:
        raise ValueError(text)


@dataclass(frozen=True, slots=True)
class Fate:
    """How one attempt goes: how long it takes at least, in seconds, its download in bytes, and how it ends."""

    failure: Failure | None
    download: float
    install: float
    size: int
    is_fetched: bool


class Nature:
    """One device's share in all that. A fate hangs on seed, device, campaign and attempt, on nothing else."""

    __slots__ = ("_behaviour", "_name")

    def __init__(self, behaviour: Behaviour, name: str) -> None:
        self._behaviour = behaviour
        self._name = name

    def failure(self, attempt: int) -> Failure | None:
        """What goes wrong with this attempt, from 1."""
        behaviour = self._behaviour
        chance, kind, *_ = self._draws("failure")
        if chance < behaviour.fail or (attempt == 1 and chance < behaviour.fail + behaviour.flaky):
            return behaviour.failures[int(kind * len(behaviour.failures))]
        return None

    def fate(self, command: Command) -> Fate:
        """All about the attempt that a command asks for."""
        behaviour = self._behaviour
        failure = self.failure(command.attempt)
        time, pace, bytes_, installation, real, *_ = self._draws("times", command.campaign_id, command.attempt)
        is_fetched = real < behaviour.fetch
        size = command.size if behaviour.size is None or is_fetched else int(value(behaviour.size, bytes_))
        if failure is not None and behaviour.fail_seconds is not None:
            seconds = value(behaviour.fail_seconds, time)
            installs = failure not in (Failure.DOWNLOAD, Failure.CHECKSUM)
            download, install = (seconds / 2, seconds / 2) if installs else (seconds, 0.0)
        else:
            install = value(behaviour.install_seconds, installation)
            download = value(behaviour.download_seconds, time)
            if behaviour.bandwidth is not None:
                download = size / value(behaviour.bandwidth, pace)
        return Fate(failure, download, install, size, is_fetched)

    def carriage(self, report: Report) -> tuple[bool, float]:
        """Whether a report goes out twice, and how many seconds it is under way while newer ones overtake it."""
        behaviour = self._behaviour
        if not (behaviour.duplicates or behaviour.late):
            return False, 0.0
        words = report.campaign_id, report.attempt, report.status, report.progress
        twice, late, seconds, *_ = self._draws("carriage", *words)
        return twice < behaviour.duplicates, value(behaviour.late_seconds, seconds) if late < behaviour.late else 0.0

    def backoff(self, tries: int, *, first: float = 0.5, most: float = 30.0) -> float:
        """Seconds to wait after so many failed tries in a row (from 0): doubled each time, 20 % either way."""
        doubled: float = first * 2.0 ** min(tries, 16)
        return min(doubled, most) * value((0.8, 1.2), self._draws("backoff", tries)[0])

    def spell(self, number: int) -> Span:
        """The spell of that number, from 0: seconds online and then offline. Only with a share of time offline."""
        share = self._behaviour.offline
        before, away, starts_away, *_ = self._draws("spell", number)
        mean_online = sum(self._behaviour.offline_seconds) / 2 * (1 - share) / share
        online = 0.0 if number == 0 and starts_away < share else -mean_online * log(1 - before)
        return online, value(self._behaviour.offline_seconds, away)

    def struck(self, storm: int) -> float | None:
        """For how many seconds the storm of that number takes the device's connection; None: not at all."""
        hit, seconds, *_ = self._draws("storm", storm)
        return value(self._behaviour.storm_seconds, seconds) if hit < self._behaviour.storm_share else None

    def _draws(self, *words: object) -> tuple[float, ...]:
        return draws(self._behaviour.seed, self._name, *words)
