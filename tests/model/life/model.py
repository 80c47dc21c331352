"""One device in one or two campaigns, and all that handles it: every order of events, crashes between any two."""

from collections.abc import Iterator
from dataclasses import dataclass

from pulse.contracts.status import FINISHED, Event, Row, Status
from tests.model.explore import Step
from tests.model.life import campaign, device, dispatcher, ingest
from tests.model.life.world import Budget, World, beginning
from tests.model.rules import Rules


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors that can be seeded into processes; those of the rules themselves are in `rules`."""

    sent_before_commit: bool = False
    acknowledged_before_commit: bool = False
    retry_forgets_the_attempt: bool = False
    sweeps_only_running: bool = False
    aborted_not_ticked: bool = False
    excluded_not_held: bool = False


NO_FAULTS, NO_ERRORS, PRODUCT = Budget(), Errors(), Rules()


@dataclass(frozen=True, slots=True)
class Life:
    """`attempts`: of each campaign, beyond which the model does not look; `failures`: the campaigns' `max_attempts`.

    `exact`: sweeps wait for the times that the protocol names, and commands expire; else they come at any moment and
    never, which is more than can happen. `zombie`: an owner of the partition that was cut off may go on.
    `installing`: the device says so; `bare`: its reports carry no attempt. `beyond_the_end`: also what comes after the
    last row has finished.
    """

    attempts: tuple[int, ...] = (2,)
    failures: int = 2
    budget: Budget = NO_FAULTS
    zombie: bool = False
    exact: bool = False
    installing: bool = False
    bare: bool = False
    beyond_the_end: bool = False
    rules: Rules = PRODUCT
    errors: Errors = NO_ERRORS

    def start(self) -> World:
        return beginning(len(self.attempts), self.budget)

    def is_good(self, world: World) -> bool:
        """Finished, held by a pause, or at the bound of the model."""
        return all(self._is_settled(world, place) for place in range(len(world.rows)))

    def _is_settled(self, world: World, place: int) -> bool:
        row, status = world.rows[place], world.history[place][-1]
        if row.status is not Status.PENDING:
            return row.status in FINISHED
        return status == "PAUSED" or (status == "RUNNING" and row.attempt == self.attempts[place])

    def steps(self, world: World) -> Iterator[Step]:
        if self._is_over(world):
            return
        for place in range(len(world.rows)):
            yield from campaign.steps(self, world, place)
            yield from dispatcher.learn(world, place)
        yield from campaign.send(world)
        yield from dispatcher.dispatch(self, world, "owner")
        yield from dispatcher.dispatch(self, world, "zombie")
        yield from dispatcher.move(self, world)
        yield from ingest.results(self, world)
        yield from ingest.reports(self, world)
        yield from device.receive(self, world)
        yield from device.work(self, world)

    def _is_over(self, world: World) -> bool:
        if self.beyond_the_end or not all(row.status in FINISHED for row in world.rows):
            return False
        return not (world.budget.retries and any(row.status is Status.FAILED for row in world.rows))

    def after(self, row: Row, event: Event, attempt: int | None = None) -> Row:
        return self.rules.row(row, event, attempt, self.failures)
