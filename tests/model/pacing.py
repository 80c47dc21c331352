"""Tokens: a slow campaign whose turn takes long, and two dispatchers that both believe a partition is theirs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from campaign_svc.engine.pace import DELIVERY_SECONDS, pace_of
from dispatcher_svc.knowledge import Knowledge
from dispatcher_svc.membership import Membership
from pulse.runtime.bucket import Bucket
from tests.model.explore import STUCK, Step
from tests.model.suite import Case

FASTER = "4: more than rate x window + burst"
RATE = 1 / 60
TICK = 10
LOOK_AHEAD = 5.0
DAY = 86_400.0


class Turn(NamedTuple):
    """`age` of the request in seconds, None without one; `full_in`: when the bucket will be full, in seconds."""

    sent: bool = False
    age: int | None = None
    full_in: int = 60
    moves: int = 2


@dataclass(frozen=True, slots=True)
class Slow:
    """A campaign of one device a minute, in ticks of 10 s. The switches are seeded errors."""

    short_hold: bool = False
    bucket_goes_with_its_queue: bool = False

    def start(self) -> Turn:
        return Turn()

    def is_good(self, turn: Turn) -> bool:
        return turn.sent

    @property
    def hold(self) -> float:
        if self.short_hold:
            return LOOK_AHEAD + DELIVERY_SECONDS
        pace = pace_of(1, RATE, partitions=24, burst_seconds=0.2)
        return pace.hold(LOOK_AHEAD, DAY).total_seconds()

    def steps(self, turn: Turn) -> Iterator[Step]:
        if turn.sent:
            return
        bucket = Bucket(RATE, 1, empty_at=turn.full_in - 60)
        if turn.age is not None and turn.age >= self.hold:
            yield Step("EXPIRED", self._without_request(turn))
        elif turn.age is not None and bucket.take(0):
            yield Step("published", turn._replace(sent=True))
        else:
            if turn.age is None:
                yield Step("claimed", self._claimed(turn))
            yield Step("10 s pass", self._older(turn))
        if turn.moves:
            yield Step("!the partition moves, its bucket is empty", turn._replace(full_in=60, moves=turn.moves - 1))

    def _without_request(self, turn: Turn) -> Turn:
        return turn._replace(age=None)

    def _claimed(self, turn: Turn) -> Turn:
        return turn._replace(age=0, full_in=60 if self.bucket_goes_with_its_queue else turn.full_in)

    def _older(self, turn: Turn) -> Turn:
        age = None if turn.age is None else turn.age + TICK
        return turn._replace(age=age, full_in=max(0, turn.full_in - TICK))


SESSION, BURST = 6, 2
"""In ticks, of which each earns one token."""


class Owners(NamedTuple):
    """Ages, in ticks, of A's last answered commit and last fetch; when each bucket will be full; what was published.

    `level`: of a bucket that leaks a token a tick, what has been published beyond the rate.
    """

    owner: str = "A"
    commit: int = 0
    fetch: int = 0
    a_full_in: int = 0
    b_full_in: int = BURST
    level: int = 0


@dataclass(frozen=True, slots=True)
class Two:
    """A owns the partition, B takes it over when A's session has ended, or when A gave it up. The switches: errors."""

    membership_ignored: bool = False
    begins_full: bool = False
    replays_for_nothing: bool = False

    def start(self) -> Owners:
        return Owners()

    def is_good(self, owners: Owners) -> bool:
        return owners.level < BURST

    def steps(self, owners: Owners) -> Iterator[Step]:
        yield Step("a tick", _tick(owners))
        yield Step("A fetches the control topic", owners._replace(fetch=0))
        if owners.owner == "A":
            yield Step("A's commit is answered", owners._replace(commit=0))
            yield Step("!A gives the partition up", self._to_b(owners._replace(commit=SESSION + 1, a_full_in=BURST)))
            if owners.commit >= SESSION:
                yield Step("!A's session has ended", self._to_b(owners))
        yield from self._publish(owners)

    def _to_b(self, owners: Owners) -> Owners:
        return owners._replace(owner="B", b_full_in=0 if self.begins_full else BURST)

    def _publish(self, owners: Owners) -> Iterator[Step]:
        a, b = _bucket(owners.a_full_in), _bucket(owners.b_full_in)
        if self._a_may(owners) and a.take(0):
            yield _published("A publishes", owners._replace(a_full_in=round(a.full_at)))
        if owners.owner == "B" and b.take(0):
            yield _published("B publishes", owners._replace(b_full_in=round(b.full_at)))
        if owners.owner == "B" and self.replays_for_nothing:
            yield _published("B publishes again what A did", owners)

    def _a_may(self, owners: Owners) -> bool:
        membership, knowledge = Membership(SESSION), Knowledge(max_age=1)
        membership.proven(-owners.commit, membership.term)
        knowledge.answered(-owners.fetch, 0)
        stopped = owners.commit > SESSION
        holds = membership.holds(0) or (self.membership_ignored and not stopped)
        return holds and knowledge.is_fresh(0)


def _bucket(full_in: int) -> Bucket:
    return Bucket(1, BURST, empty_at=full_in - BURST)


def _published(label: str, owners: Owners) -> Step:
    level = owners.level + 1
    return Step(label, owners._replace(level=min(level, BURST + 1)), FASTER if level > BURST else None)


def _tick(owners: Owners) -> Owners:
    return owners._replace(
        commit=min(owners.commit + 1, max(owners.commit, SESSION)),
        fetch=min(owners.fetch + 1, 2),
        a_full_in=max(0, owners.a_full_in - 1),
        b_full_in=max(0, owners.b_full_in - 1),
        level=max(0, owners.level - 1),
    )


HOLDS = [
    Case("a slow campaign has its turn", Slow()),
    Case("a slow campaign has its turn, its bucket made anew each time", Slow(bucket_goes_with_its_queue=True)),
    Case("two owners of one bucket", Two()),
]
SEEDED = [
    Case(
        "a request lives shorter than a token takes, and its bucket no longer",
        Slow(short_hold=True, bucket_goes_with_its_queue=True),
        STUCK,
    ),
    Case("an owner whose commits are not answered goes on", Two(membership_ignored=True), FASTER),
    Case("a new owner begins with a full bucket", Two(begins_full=True), FASTER),
    Case("a replay takes no token", Two(replays_for_nothing=True), FASTER),
]
