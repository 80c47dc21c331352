"""dispatcher-svc: the partition's owner, and one that was cut off and goes on.

Reading, writing, PUBACK, result and offset are one step, with crashes between them as variants: the channels delay each
of them anyway. What is known of a campaign may be as old as it likes, which is more than freshness allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dispatcher_svc.knowledge import Stand
from pulse.contracts.kafka import Outcome
from pulse.contracts.status import ACTIVE, Event
from tests.model.explore import Step
from tests.model.life.breaches import TWO_OUT
from tests.model.life.world import Request, World, at, spend

if TYPE_CHECKING:
    from tests.model.life.model import Life

HELD = {"owner": "log", "zombie": "left"}


def learn(world: World, place: int) -> Iterator[Step]:
    for who in ("owner", "zombie"):
        known: tuple[int, ...] = getattr(world, who)
        if known[place] < len(world.history[place]) and (who == "owner" or world.left):
            learnt: dict[str, Any] = {who: at(known, place, known[place] + 1)}
            yield Step(f"{who} learns of campaign {place}", world._replace(**learnt))


def dispatch(life: Life, world: World, who: str) -> Iterator[Step]:
    """Each request that it holds may be the next."""
    held: frozenset[Request] = getattr(world, HELD[who])
    for request in held:
        epoch = getattr(world, who)[request.campaign]
        status = world.history[request.campaign][epoch - 1]
        stand = life.rules.stand(epoch, status, request.epoch, request.key in world.late)
        settled = {HELD[who]: held - {request}}
        if stand is Stand.GO:
            yield from _publish(world, who, request, settled)
        elif isinstance(stand, Outcome):
            yield from _settle(world, who, request, stand, settled)


def _publish(world: World, who: str, request: Request, settled: dict[str, Any]) -> Iterator[Step]:
    ghosts = world.ghosts._replace(published=world.ghosts.published | {request.key})
    dropped = request.key in world.expired
    reached = world._replace(commands=world.commands if dropped else world.commands | {request}, ghosts=ghosts)
    others = any(row.status in ACTIVE for n, row in enumerate(world.rows) if n != request.campaign)
    broken = TWO_OUT if request.campaign in world.excluded and others else None
    yield from _settle(reached, who, request, Outcome.PUBLISHED, settled, broken)
    if world.budget.crashes:
        died = reached._replace(budget=spend(world, "crashes"))
        yield Step(f"!{who} publishes {request.key}, dies before the result", died)
    if world.budget.unheard:
        unheard = world._replace(budget=spend(world, "unheard"))
        after = _settled(unheard, request, Outcome.NO_SUBSCRIBER, settled)
        yield Step(f"!{who} publishes {request.key} to nobody", after)


def _settle(
    world: World, who: str, request: Request, outcome: Outcome, settled: dict[str, Any], broken: str | None = None
) -> Iterator[Step]:
    label = f"{who} settles {request.key} {outcome}"
    yield Step(label, _settled(world, request, outcome, settled), broken)
    if world.budget.crashes and who == "owner":
        died = world._replace(budget=spend(world, "crashes"))
        yield Step(f"!{label}, dies before the offset", _settled(died, request, outcome, {}))


def _settled(world: World, request: Request, outcome: Outcome, settled: dict[str, Any]) -> World:
    word = (Event(outcome.value), request.campaign, request.attempt)
    return world._replace(results=world.results | {word}, **settled)


def move(life: Life, world: World) -> Iterator[Step]:
    if life.zombie and world.budget.crashes and world.log and not world.left:
        after = world._replace(left=world.log, zombie=world.owner, budget=spend(world, "crashes"))
        yield Step("!the partition moves, its old owner goes on", after)
