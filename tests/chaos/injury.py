"""Faults are made and lifted again, and it is measured how long everything takes to recover from each."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterable

from tests.chaos.faults import FOUNDATIONS, Kind, Plan
from tests.chaos.history import Fault, Line, Recovered
from tests.chaos.parts import FLEET, Stack
from tests.chaos.pulse import Pulse

RECOVERED_SECONDS = 90.0
LOOK_SECONDS = 0.02
AT_ONCE = 3
HELD_SECONDS = 5.0
"""What a dispatcher has written from in these last seconds is what it holds."""
PROCESS, REST, COMMANDS, REPORTS = "the process", "REST", "commands", "reports"
CONCERNS = {
    "catalog-svc": (PROCESS, REST),
    "campaign-svc": (PROCESS, REST),
    "dispatcher-svc": (PROCESS, COMMANDS),
    "status-ingest-svc": (PROCESS, REPORTS),
    "postgres": (REST, COMMANDS, REPORTS),
    "kafka": (COMMANDS, REPORTS),
    "mosquitto": (COMMANDS, REPORTS),
    FLEET: (COMMANDS, REPORTS),
}


def concerns(target: str) -> tuple[str, ...]:
    """What is looked at after a fault of a part, or of a link."""
    name = target.partition(" to ")[0] if target not in CONCERNS else target
    service = name.rpartition("-")[0] if name[-1].isdigit() else name
    found = CONCERNS[service]
    return tuple(aspect for aspect in found if aspect != PROCESS) if " to " in target else found


def _aspects(plan: Plan, buckets: list[str]) -> list[str]:
    """A process that was only stopped is there at once; where no commands were held up, none can go on."""
    nothing = {PROCESS} if plan.kind is not Kind.KILL else set()
    return [a for a in concerns(plan.target) if a not in nothing and (a != COMMANDS or buckets)]


class Injury:
    """Makes faults, a few at a time. `note` gets each, and how long what was recovered in."""

    def __init__(self, stack: Stack, pulse: Pulse, note: Callable[[Line], object]) -> None:
        self._stack = stack
        self._pulse = pulse
        self._note = note
        self._active: dict[int, Plan] = {}
        self._crowded: set[int] = set()
        self.done = 0

    @property
    def active(self) -> list[Plan]:
        return list(self._active.values())

    async def make(self, plans: Iterable[Plan]) -> None:
        """All of them, one after the other, some at once; returns when everything has recovered."""
        async with asyncio.TaskGroup() as group:
            for plan in plans:
                while self._must_wait(plan):
                    await asyncio.sleep(LOOK_SECONDS)
                await asyncio.sleep(plan.wait)
                self._active[plan.number] = plan
                if len(self._active) > 1:
                    self._crowded.update(self._active)
                group.create_task(self._suffer(plan), name=f"fault {plan.number}")

    def _must_wait(self, plan: Plan) -> bool:
        others = self._active.values()
        if plan.alone or len(self._active) >= AT_ONCE:
            return bool(others)
        return any(other.target == plan.target for other in others)

    async def _suffer(self, plan: Plan) -> None:
        at = time.monotonic()
        buckets = self._buckets(plan, at)
        came_back = await self._make(plan)
        lifted = time.monotonic()
        self._note(
            Fault(at=at, number=plan.number, kind=plan.kind, target=plan.target, lifted=lifted, detail=plan.detail)
        )
        since = at if plan.kind is Kind.KILL and plan.target not in FOUNDATIONS else lifted
        async with asyncio.TaskGroup() as group:
            for aspect in _aspects(plan, buckets):
                group.create_task(self._recover(plan, aspect, since, buckets, came_back=came_back))
        del self._active[plan.number]
        self.done += 1

    def _buckets(self, plan: Plan, at: float) -> list[str]:
        """The buckets that a fault holds up."""
        if not plan.target.startswith("dispatcher-svc"):
            return self._pulse.commands.held(at)
        return self._pulse.commands.held(at - HELD_SECONDS, plan.target.partition(" to ")[0])

    async def _make(self, plan: Plan) -> bool:
        """The fault from its beginning to its end; whether a killed foundation could be started again."""
        if plan.kind is Kind.KILL:
            await self._stack.kill(plan.target)
            await asyncio.sleep(plan.lasts)
            return plan.target not in FOUNDATIONS or await self._stack.until_up(plan.target)
        if plan.kind is Kind.STOP:
            self._stack.signal(plan.target, signal.SIGSTOP)
            try:
                await asyncio.sleep(plan.lasts)
            finally:
                self._stack.signal(plan.target, signal.SIGCONT)
            return True
        await self._hurt(plan)
        return True

    async def _hurt(self, plan: Plan) -> None:
        link = self._stack.links[plan.target]
        if plan.kind is Kind.CUT:
            link.cut()
            return
        if plan.kind is Kind.SLOW:
            link.slow(plan.delay)
        else:
            link.swallow()
        await asyncio.sleep(plan.lasts)
        link.lift()

    async def _recover(self, plan: Plan, aspect: str, since: float, buckets: list[str], *, came_back: bool) -> None:
        deadline = time.monotonic() + RECOVERED_SECONDS
        held = list(buckets)
        while not (good := came_back and self._is_well(plan, aspect, since, held)) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
        now = time.monotonic()
        self._note(
            Recovered(
                at=now,
                fault=plan.number,
                kind=plan.kind,
                target=plan.target,
                aspect=aspect,
                seconds=now - since if good else None,
                alone=plan.number not in self._crowded,
            )
        )

    def _is_well(self, plan: Plan, aspect: str, since: float, held: list[str]) -> bool:
        if aspect == PROCESS:
            return plan.target not in self._stack.down
        if aspect == REST:
            return self._pulse.rest_at > since
        if aspect == REPORTS:
            return self._pulse.caught_up_to > since
        held[:] = [bucket for bucket in held if not self._pulse.commands.went_on(bucket, since)]
        return not held
