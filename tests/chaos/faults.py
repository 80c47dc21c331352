"""Which faults a run has: drawn at random from a seed, each kind about as often as the others. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """What can be done to a process, or to the connections between two."""

    KILL = "kill"
    STOP = "stop"
    CUT = "cut"
    SLOW = "slow"
    HOLE = "hole"


OF_PROCESSES = frozenset({Kind.KILL, Kind.STOP})
SERVICES = ("catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc")
STOPS, DOWN, HOLES = (0.1, 0.4, 1.0, 2.5, 4.0, 8.0), (0.0, 1.0, 3.0), (1.0, 3.0, 6.0, 9.0)
"""For how long a process stands still, a killed foundation lies down, a link is slow or a hole; in seconds."""
DELAYS, WAITS = (0.03, 0.15, 0.6, 1.5), (0.2, 0.5, 1.5, 3.0)
ALONE_SHARE = 0.4
FOUNDATIONS = ("postgres", "kafka", "mosquitto")


@dataclass(frozen=True, slots=True)
class Plan:
    """One fault: after `wait` seconds, for `lasts` seconds; `delay` in seconds, of a slow link.

    `alone`: only when everything has recovered from those before it. A killed service comes back by itself; a killed
    foundation is started again when the fault ends.
    """

    number: int
    kind: Kind
    target: str
    wait: float
    lasts: float
    alone: bool
    delay: float = 0.0

    @property
    def detail(self) -> str:
        return f"{self.delay:.2f} s each way" if self.delay else ""


@dataclass(frozen=True, slots=True)
class Targets:
    """`services` by name: their processes; `links`: the connections that can be hurt."""

    services: Mapping[str, Sequence[str]]
    foundations: Sequence[str]
    links: Sequence[str]


def plans(targets: Targets, number: int, seed: int, kinds: Sequence[Kind]) -> Iterator[Plan]:
    """So many faults. The same seed and targets give the same ones."""
    random = Random(f"chaos/{seed}")
    for n in range(1, number + 1):
        kind = random.choice(list(kinds))
        target, lasts = _process(kind, targets, random) if kind in OF_PROCESSES else _link(kind, targets, random)
        delay = random.choice(DELAYS) if kind is Kind.SLOW else 0.0
        yield Plan(n, kind, target, random.choice(WAITS), lasts, random.random() < ALONE_SHARE, delay)


def _process(kind: Kind, targets: Targets, random: Random) -> tuple[str, float]:
    """A service or foundation first, so that those with many processes are not hit more often."""
    name = random.choice([*targets.services, *targets.foundations])
    is_service = name in targets.services
    target = random.choice(targets.services[name]) if is_service else name
    if kind is Kind.STOP:
        return target, random.choice(STOPS)
    return target, 0.0 if is_service else random.choice(DOWN)


def _link(kind: Kind, targets: Targets, random: Random) -> tuple[str, float]:
    return random.choice(targets.links), 0.0 if kind is Kind.CUT else random.choice(HOLES)
