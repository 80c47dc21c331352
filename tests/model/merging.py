"""Ingest writes one event per device and batch: it does what all of them would have done, in some order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, permutations
from typing import TypeAlias

from pulse.contracts.status import FINISHED, REPORTS, RESULTS, Event, Heard, Row, Status, merge
from tests.model.explore import Step
from tests.model.rules import row_after
from tests.model.suite import Case

INEXACT = "5: a merged batch does what no order of its events does"
ORDER = (Event.PUBLISHED, Event.DOWNLOADING, Event.INSTALLING, Event.FAILED, Event.SUCCESS)
Batch: TypeAlias = tuple[Heard, ...]
MOST_FAILURES = 2


def product(batch: Batch) -> Heard:
    [one] = merge(batch)
    return one


def last_wins(batch: Batch) -> Heard:
    return batch[-1]


def furthest_of_any_attempt(batch: Batch) -> Heard:
    return max(batch, key=lambda heard: ORDER.index(heard.event) if heard.event in ORDER else -1)


def last_of_the_highest_attempt(batch: Batch) -> Heard:
    return max(enumerate(batch), key=lambda placed: (placed[1].attempt or 0, placed[0]))[1]


@dataclass(frozen=True, slots=True)
class Merging:
    """All batches of so many events against all rows, in each order in which they may arrive."""

    rule: Callable[[Batch], Heard] = product
    size: int = 2

    def start(self) -> str:
        return "start"

    def is_good(self, state: object) -> bool:
        return True

    def steps(self, state: object) -> Iterator[Step]:
        if state != "start":
            return
        for batch in combinations_with_replacement(_events(), self.size):
            for row in _rows(max(heard.attempt or 0 for heard in batch)):
                yield self._merged(row, batch)

    def _merged(self, row: Row, batch: Batch) -> Step:
        orders = set(permutations(batch))
        possible = {_one_by_one(row, order) for order in orders}
        exact = all(_applied(row, self.rule(order)) in possible for order in orders)
        label = f"{row.status}({row.attempt}) and {' '.join(f'{h.event}({h.attempt})' for h in batch)}"
        return Step(label, (row, tuple(h.event for h in batch)), None if exact else INEXACT)


def _events() -> list[Heard]:
    return [Heard("t", 1, "d", attempt, event) for event in sorted(RESULTS | REPORTS) for attempt in (1, 2)]


def _rows(least_attempt: int) -> Iterator[Row]:
    """Rows that such messages can meet: none is of an attempt that was not committed before."""
    for status in Status:
        for attempt in range(least_attempt, 4):
            for failures in (0, 1):
                if status is not Status.FAILED or failures:
                    yield Row(status, attempt, failures)


def _applied(row: Row, heard: Heard) -> Row:
    after = row_after(row, heard.event, heard.attempt, MOST_FAILURES)
    return after if after.status not in FINISHED else after._replace(wait=None)


def _one_by_one(row: Row, batch: Batch) -> Row:
    for heard in batch:
        row = _applied(row, heard)
    return row


HOLDS = [Case("batches of two", Merging())]
SEEDED = [
    Case("the last one wins", Merging(last_wins), INEXACT),
    Case("the furthest wins, of whatever attempt", Merging(furthest_of_any_attempt), INEXACT),
    Case("the last of the highest attempt wins", Merging(last_of_the_highest_attempt), INEXACT),
]
LONG = [Case("batches of three", Merging(size=3))]
