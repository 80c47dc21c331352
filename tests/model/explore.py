"""Every state that a model can reach, breadth first: so each trace to something broken is a shortest one."""

from array import array
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

State: TypeAlias = Any
"""Whatever a model takes: hashable, and equal when it is the same."""
STUCK = "stuck"


class Step(NamedTuple):
    """What can happen next. `label` begins with "!" for faults and for what people do; `broken` names a property."""

    label: str
    state: State
    broken: str | None = None

    @property
    def is_fault(self) -> bool:
        return self.label.startswith("!")


class Model(Protocol):
    """What can happen in which state, and which states are a good end."""

    def start(self) -> State: ...

    def steps(self, state: State) -> Iterable[Step]: ...

    def is_good(self, state: State) -> bool:
        """Liveness asks that such a state can be reached from every state, without any further fault."""
        ...


Trace: TypeAlias = list[tuple[str, Hashable]]


@dataclass(slots=True)
class Found:
    """`broken`: the shortest trace to each broken property; STUCK: to a state without a way to a good one."""

    states: int = 0
    broken: dict[str, Trace] = field(default_factory=dict)
    complete: bool = True


class Reached:
    """All states so far, each with the step that first led to it."""

    def __init__(self, first: Hashable) -> None:
        self.states: list[Hashable] = [first]
        self._index: dict[Hashable, int] = {first: 0}
        self._parents = array("l", [-1])
        self._labels = [""]

    def __len__(self) -> int:
        return len(self.states)

    def number(self, state: Hashable, parent: int, label: str) -> int:
        """The state's number, a new one where it is new."""
        known = self._index.get(state)
        if known is not None:
            return known
        self._index[state] = len(self.states)
        self.states.append(state)
        self._parents.append(parent)
        self._labels.append(label)
        return len(self.states) - 1

    def trace(self, number: int) -> Trace:
        steps: Trace = []
        while number >= 0:
            steps.append((self._labels[number] or "start", self.states[number]))
            number = self._parents[number]
        return steps[::-1]


def explore(model: Model, until: str | None = None, most: int = 3_000_000) -> Found:
    """All states; or those up to the first in which `until` is broken; or about `most`.

    Where not all have been seen, `complete` is False and nothing is said of liveness.
    """
    reached, found = Reached(model.start()), Found()
    before: dict[int, list[int]] = defaultdict(list)
    here = 0
    while here < len(reached) <= most and until not in found.broken:
        state = reached.states[here]
        for step in model.steps(state):
            there = reached.number(step.state, here, step.label)
            if step.broken and step.broken not in found.broken:
                found.broken[step.broken] = [*reached.trace(here), (step.label, step.state)]
            if not step.is_fault:
                before[there].append(here)
        here += 1
    found.states, found.complete = len(reached), here == len(reached)
    if found.complete and (dead := _dead_end(model, reached, before)) is not None:
        found.broken[STUCK] = reached.trace(dead)
    return found


def _dead_end(model: Model, reached: Reached, before: dict[int, list[int]]) -> int | None:
    """The first state from which no good one can be reached."""
    alive = bytearray(len(reached))
    good = [n for n, state in enumerate(reached.states) if model.is_good(state)]
    todo = deque(good)
    for number in good:
        alive[number] = 1
    while todo:
        for earlier in before[todo.pop()]:
            if not alive[earlier]:
                alive[earlier] = 1
                todo.append(earlier)
    dead = alive.find(0)
    return None if dead < 0 else dead


def told(trace: Trace) -> str:
    """A trace for people, a step a line."""
    return "\n".join(f"{number:3}. {label:<45} {state}" for number, (label, state) in enumerate(trace))
