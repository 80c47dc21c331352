"""status-ingest-svc: results and reports meet the rows, once or again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulse.contracts.status import AT_WORK, FINISHED, Event
from tests.model.explore import Step
from tests.model.life.breaches import COUNTED_TWICE, LOST, OTHER_ATTEMPT, TAKEN_BACK, moved
from tests.model.life.world import Word, World, spend

if TYPE_CHECKING:
    from tests.model.life.model import Life


def results(life: Life, world: World) -> Iterator[Step]:
    for word in world.results:
        event, place, attempt = word
        row = world.rows[place]
        after = life.after(row, event, attempt)
        back = row.status in AT_WORK and after != row and event is not Event.PUBLISHED
        broken, label = TAKEN_BACK if back else None, f"result {event} of {place, attempt}"
        yield moved(world, label, place, after, broken, results=world.results - {word})
        if world.budget.repeats:
            yield moved(world, f"!{label}, and again", place, after, broken, budget=spend(world, "repeats"))


def reports(life: Life, world: World) -> Iterator[Step]:
    for word in world.reports:
        event, place, attempt = word
        row, key = world.rows[place], (place, attempt)
        after = life.after(row, event, None if life.bare else attempt)
        counts = event is Event.FAILED and after != row and row.status not in FINISHED
        broken, counted = (_miscounted(world, word), key) if counts else (None, None)
        label = f"report {event} of {key}"
        yield moved(world, label, place, after, broken, counted, reports=world.reports - {word})
        if world.budget.repeats:
            yield moved(world, f"!{label}, and again", place, after, broken, counted, budget=spend(world, "repeats"))
        if life.errors.acknowledged_before_commit and world.budget.crashes:
            lost = world._replace(reports=world.reports - {word}, budget=spend(world, "crashes"))
            yield Step(f"!ingest acknowledges {label}, dies", lost, LOST if after != row else None)


def _miscounted(world: World, word: Word) -> str | None:
    _, place, attempt = word
    if (place, attempt) in world.ghosts.counted:
        return COUNTED_TWICE
    return None if attempt == world.rows[place].attempt else OTHER_ATTEMPT
