"""Offsets: three requests of a partition, two dispatchers, results in any order, crashes and a move."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from dispatcher_svc.watermark import Watermark
from tests.model.explore import Step
from tests.model.life.world import at
from tests.model.suite import Case

REQUESTS = 3
PASSED_OVER = "1: a request is passed over"
Held: TypeAlias = tuple[int, frozenset[int]]
"""Where reading began, and what has been settled since."""


class Offsets(NamedTuple):
    """`settled`: by anybody, ever."""

    committed: int = 0
    owner: int = 0
    held: tuple[Held | None, ...] = ((0, frozenset()), None)
    settled: frozenset[int] = frozenset()
    crashes: int = 2
    moves: int = 1


@dataclass(frozen=True, slots=True)
class Partition:
    """`highest`: an error, the highest settled offset is committed."""

    highest: bool = False

    def start(self) -> Offsets:
        return Offsets()

    def is_good(self, now: Offsets) -> bool:
        return now.committed == REQUESTS and len(now.settled) == REQUESTS

    def steps(self, now: Offsets) -> Iterator[Step]:
        for who, held in enumerate(now.held):
            if held is None:
                if who == now.owner:
                    begins = at(now.held, who, (now.committed, frozenset()))
                    yield Step(f"{who} begins at {now.committed}", now._replace(held=begins))
                continue
            yield from self._settle(now, who, held)
            yield from self._commit(now, who, held)
            gone = now._replace(held=at(now.held, who, None))
            if now.crashes:
                yield Step(f"!{who} dies", gone._replace(crashes=now.crashes - 1))
            if who != now.owner:
                yield Step(f"{who} drops what it holds", gone)
        if now.moves:
            yield Step("!the partition moves", now._replace(owner=1 - now.owner, moves=now.moves - 1))

    def _settle(self, now: Offsets, who: int, held: Held) -> Iterator[Step]:
        began, settled = held
        for offset in set(range(began, REQUESTS)) - settled:
            after = at(now.held, who, (began, settled | {offset}))
            yield Step(f"{who} settles {offset}", now._replace(held=after, settled=now.settled | {offset}))

    def _commit(self, now: Offsets, who: int, held: Held) -> Iterator[Step]:
        position = self._position(held)
        if who != now.owner or position == now.committed:
            return
        passed = set(range(position)) - now.settled
        yield Step(f"{who} commits {position}", now._replace(committed=position), PASSED_OVER if passed else None)

    def _position(self, held: Held) -> int:
        began, settled = held
        if self.highest:
            return max(settled, default=began - 1) + 1
        watermark = Watermark()
        watermark.begin(began)
        for offset in range(began, REQUESTS):
            watermark.read(offset)
        for offset in settled:
            watermark.settle(offset)
        position = watermark.position
        assert position is not None
        return position


HOLDS = [Case("three requests", Partition())]
SEEDED = [Case("the highest settled offset is committed", Partition(highest=True), PASSED_OVER)]
