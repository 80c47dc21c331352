"""The device: the simulator's own memory and rules, at every moment at which something can happen to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fleetsim.device import Broke, Downloaded, FellSilent, Installed, Memory, Received
from fleetsim.device import Event as Happening
from pulse.contracts.status import Event
from tests.model.explore import Step
from tests.model.life.breaches import begun
from tests.model.life.world import Request, World, spend
from tests.model.rules import AFTER, BEFORE, command, place

if TYPE_CHECKING:
    from tests.model.life.model import Life

VERSIONS = "AB"


def receive(life: Life, world: World) -> Iterator[Step]:
    for request in world.commands:
        event = Received(command(request.campaign + 1, request.attempt, request.issued, VERSIONS[request.campaign]))
        label, rest = f"device gets {request.key}", world.commands - {request}
        yield _happens(life, world, label, event, commands=rest)
        if world.budget.repeats:
            yield _happens(life, world, f"!{label}, and will again", event, budget=spend(world, "repeats"))


def work(life: Life, world: World) -> Iterator[Step]:
    hand, last = world.device.at_hand, world.device.last
    if hand is None:
        return
    number, name = hand.campaign_id, f"({hand.campaign_id - 1}, {hand.attempt})"
    if life.installing and last is not None and last.status == "DOWNLOADING":
        yield _happens(life, world, f"device installs {name}", Downloaded(number))
    else:
        yield _happens(life, world, f"device succeeds {name}", Installed(number))
    yield _happens(life, world, f"device fails {name}", Broke(number, "broken", ""))
    if world.budget.power_cuts:
        budget = spend(world, "power_cuts")
        yield _happens(life, world, f"!device loses power {name}", FellSilent(number), budget=budget)


def _happens(life: Life, world: World, label: str, event: Happening, **changes: Any) -> Step:
    """The device's memory after an event; what it has to say is on its way at once."""
    before = world.device
    after = life.rules.device(before, event, _time(world, event))
    said = {
        (Event(report.status), report.campaign_id - 1, report.attempt or 0)
        for report in after.unsent
        if report.status is not None and report.campaign_id is not None
    }
    request = _at_hand(after)
    broken = begun(world, before.at_hand, request, received=isinstance(event, Received), exact=life.exact)
    ghosts = world.ghosts._replace(
        installed=world.ghosts.installed | _installed(before, after),
        begun=world.ghosts.begun | ({request.key} if request else set()),
        newest=max(world.ghosts.newest, place(event.command.issued_at) if isinstance(event, Received) else 0),
    )
    now = world._replace(device=replace(after, unsent=()), reports=world.reports | said, ghosts=ghosts)
    return Step(label, now._replace(**changes), broken)


def _time(world: World, event: Happening) -> Any:
    """Whether the command that the device may begin now has expired."""
    may_begin = event.command if isinstance(event, Received) else world.device.waiting
    if may_begin is None:
        return BEFORE
    return AFTER if (may_begin.campaign_id - 1, may_begin.attempt) in world.expired else BEFORE


def _at_hand(memory: Memory) -> Request | None:
    hand = memory.at_hand
    return None if hand is None else Request(hand.campaign_id - 1, hand.attempt, 0, place(hand.issued_at))


def _installed(before: Memory, after: Memory) -> set[int]:
    return {VERSIONS.index(after.version)} if after.version != before.version else set()
