"""campaign-svc: claims, requests, sweeps, what operators do; and the time that passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pulse.contracts.status import ACTIVE, AT_WORK, Event, Row, Status
from tests.model.explore import Step
from tests.model.life.breaches import COUNTED_TWICE, SHARED, moved
from tests.model.life.world import Request, World, at, spend

if TYPE_CHECKING:
    from tests.model.life.model import Life

CHANGES = {"RUNNING": ("PAUSED", "ABORTED"), "PAUSED": ("RUNNING", "ABORTED")}


def steps(life: Life, world: World, place: int) -> Iterator[Step]:
    yield from _claim(life, world, place)
    yield from _sweep(life, world, place)
    yield from _end(life, world, place)
    yield from _change(world, place)
    yield from _retry(life, world, place)
    yield from _exclude(life, world, place)
    yield from _pass_time(life, world, place)


def _claim(life: Life, world: World, place: int) -> Iterator[Step]:
    row = world.rows[place]
    elsewhere = any(r.status in ACTIVE or _holds(life, world, n) for n, r in enumerate(world.rows) if n != place)
    claimed = life.after(row, Event.CLAIM)
    if world.history[place][-1] != "RUNNING" or row.attempt == life.attempts[place] or elsewhere or claimed == row:
        return
    if world.budget.skips:
        unfit = life.after(row, Event.UNFIT)
        yield moved(world, f"!the device does not fit {place} any more", place, unfit, budget=spend(world, "skips"))
    request = Request(place, claimed.attempt, len(world.history[place]), sum(r.attempt for r in world.rows) + 1)
    shared = SHARED if request.key in world.ghosts.sent else None
    yield moved(world, f"claim {request.key}", place, claimed, shared, unsent=world.unsent | {request})
    if life.errors.sent_before_commit and world.budget.crashes:
        rolled_back = _sent(world, request)._replace(budget=spend(world, "crashes"))
        yield Step(f"!send {request.key}, the claim is rolled back", rolled_back)


def _holds(life: Life, world: World, place: int) -> bool:
    """The device was taken out of that campaign, and its request may still be published."""
    attempt = world.rows[place].attempt
    out = attempt > 0 and (place, attempt) not in world.late
    return place in world.excluded and out and not life.errors.excluded_not_held


def _sent(world: World, request: Request) -> World:
    ghosts = world.ghosts._replace(sent=world.ghosts.sent | {request.key})
    return world._replace(log=world.log | {request}, ghosts=ghosts)


def send(world: World) -> Iterator[Step]:
    """Requests of committed claims go out; a process that dies before that sends none."""
    for request in world.unsent:
        sent = _sent(world, request)
        yield Step(f"send {request.key}", sent._replace(unsent=world.unsent - {request}))
        if world.budget.repeats:
            yield Step(f"!send {request.key}, and again", sent._replace(budget=spend(world, "repeats")))
    if world.unsent and world.budget.crashes:
        yield Step("!campaign-svc dies", world._replace(unsent=frozenset(), budget=spend(world, "crashes")))


def _sweep(life: Life, world: World, place: int) -> Iterator[Step]:
    row = world.rows[place]
    key = (place, row.attempt)
    if life.errors.sweeps_only_running and world.history[place][-1] != "RUNNING":
        return
    if row.status is Status.QUEUED and (key in world.late or not life.exact):
        yield moved(world, f"{key} is overdue", place, life.after(row, Event.OVERDUE))
    if row.status in AT_WORK and (key in world.expired or not life.exact):
        twice = COUNTED_TWICE if key in world.ghosts.counted else None
        yield moved(world, f"{key} times out", place, life.after(row, Event.TIMEOUT), twice, counted=key)


def _end(life: Life, world: World, place: int) -> Iterator[Step]:
    row = world.rows[place]
    aborted = world.history[place][-1] == "ABORTED" and not life.errors.aborted_not_ticked
    if aborted and row.status is Status.PENDING:
        yield moved(world, f"tick of the aborted campaign {place}", place, life.after(row, Event.END))


def _change(world: World, place: int) -> Iterator[Step]:
    history = world.history[place]
    if not world.budget.changes:
        return
    for status in CHANGES.get(history[-1], ()):
        changed = at(world.history, place, (*history, status))
        yield Step(f"!campaign {place} {status}", world._replace(history=changed, budget=spend(world, "changes")))


def _retry(life: Life, world: World, place: int) -> Iterator[Step]:
    row = world.rows[place]
    if not world.budget.retries or row.status is not Status.FAILED or world.history[place][-1] != "RUNNING":
        return
    again = life.after(row, Event.RETRY)
    if life.errors.retry_forgets_the_attempt:
        again = Row(Status.PENDING, 0, 0)
    yield moved(world, "!operator retries", place, again, budget=spend(world, "retries"))


def _exclude(life: Life, world: World, place: int) -> Iterator[Step]:
    row = world.rows[place]
    out = life.after(row, Event.GIVE_UP if world.history[place][-1] == "ABORTED" else Event.EXCLUDE)
    if world.budget.skips and out != row:
        taken: dict[str, Any] = {"excluded": world.excluded | {place}, "budget": spend(world, "skips")}
        yield moved(world, f"!operator takes the device out of {place}", place, out, **taken)


def _pass_time(life: Life, world: World, place: int) -> Iterator[Step]:
    """A campaign's attempts run out one after the other: `not_after` first, then the command itself."""
    for attempt in range(1, world.rows[place].attempt + 1):
        key, before = (place, attempt), (place, attempt - 1)
        if key not in world.late:
            if attempt == 1 or before in world.late:
                yield Step(f"not_after of {key} passes", world._replace(late=world.late | {key}))
        elif life.exact and key not in world.expired and (attempt == 1 or before in world.expired):
            left = frozenset(request for request in world.commands if request.key != key)
            yield Step(f"{key} expires", world._replace(expired=world.expired | {key}, commands=left))
