"""The state of the model of a device's life: one device, one or two campaigns, all that is between them."""

from typing import Any, NamedTuple, TypeAlias

from fleetsim.device import Memory
from pulse.contracts.kafka import ControlStatus
from pulse.contracts.status import Event, Row, Status

Key: TypeAlias = tuple[int, int]
"""A campaign's place, from 0, and an attempt, from 1."""
Word: TypeAlias = tuple[Event, int, int]
"""A result or report of a campaign's attempt."""


class Request(NamedTuple):
    """A dispatch request, and the command that it carries; `issued`: the place of its claim among all claims."""

    campaign: int
    attempt: int
    epoch: int
    issued: int

    @property
    def key(self) -> Key:
        return self.campaign, self.attempt


class Budget(NamedTuple):
    """How many faults of each kind may still happen."""

    crashes: int = 0
    repeats: int = 0
    changes: int = 0
    unheard: int = 0
    power_cuts: int = 0
    retries: int = 0
    skips: int = 0


class Ghosts(NamedTuple):
    """What no part of the system knows, and the properties are about."""

    counted: frozenset[Key] = frozenset()
    sent: frozenset[Key] = frozenset()
    published: frozenset[Key] = frozenset()
    begun: frozenset[Key] = frozenset()
    installed: frozenset[int] = frozenset()
    newest: int = 0


class World(NamedTuple):
    """Channels are sets: any order, any delay. `log` is what the owner of the partition reads, `left` a zombie's.

    `history` has each campaign's status by epoch; `owner` and `zombie` the epochs that these dispatchers know.
    `late`: `not_after` is past; `expired`: so is `expires_at`, and the broker has dropped the command. `excluded`: an
    operator has taken the device out of these campaigns.
    """

    rows: tuple[Row, ...]
    history: tuple[tuple[ControlStatus, ...], ...]
    owner: tuple[int, ...]
    zombie: tuple[int, ...]
    device: Memory
    budget: Budget
    unsent: frozenset[Request] = frozenset()
    log: frozenset[Request] = frozenset()
    left: frozenset[Request] = frozenset()
    late: frozenset[Key] = frozenset()
    expired: frozenset[Key] = frozenset()
    commands: frozenset[Request] = frozenset()
    results: frozenset[Word] = frozenset()
    reports: frozenset[Word] = frozenset()
    ghosts: Ghosts = Ghosts()
    excluded: frozenset[int] = frozenset()

    def __str__(self) -> str:
        rows = " ".join(f"{row.status}({row.attempt}, {row.failures} failed)" for row in self.rows)
        campaigns = " ".join(history[-1] for history in self.history)
        hand = self.device.at_hand
        at = f"at work for {hand.campaign_id}/{hand.attempt}" if hand else "idle"
        words = " ".join(f"{event}/{c}/{n}" for event, c, n in sorted(self.results | self.reports))
        return f"{campaigns}; {rows}; device {at}, runs {self.device.version}; on their way: {words or '-'}"


def beginning(campaigns: int, budget: Budget) -> World:
    """All campaigns run, nothing is claimed; dispatchers know that."""
    return World(
        rows=(Row(Status.PENDING, 0, 0),) * campaigns,
        history=(("RUNNING",),) * campaigns,
        owner=(1,) * campaigns,
        zombie=(1,) * campaigns,
        device=Memory(version="-"),
        budget=budget,
    )


def at(values: tuple[Any, ...], place: int, value: object) -> tuple[Any, ...]:
    """The tuple with another value in that place."""
    return (*values[:place], value, *values[place + 1 :])


def spend(world: World, kind: str) -> Budget:
    """One fault of a kind less."""
    return world.budget._replace(**{kind: getattr(world.budget, kind) - 1})
