"""What must never be: names of the properties, and what a change of a row or of the device breaks of them."""

from typing import Any

from fleetsim.wire import Command
from pulse.contracts.status import ACTIVE, FINISHED, Row, Status
from tests.model.explore import Step
from tests.model.life.world import Ghosts, Key, Request, World, at

FINISHED_CHANGED = "7: a finished row changed"
ATTEMPT_BACK = "8: an attempt went back"
SHARED = "8: two commands share an attempt"
TWICE = "8: a device acts twice on one command"
OLDER = "8: a device acts on an older command after a newer"
STALE = "8: a device acts on a command whose row has ended"
TWO_ACTIVE = "6: two active rows of one device"
TWO_OUT = "6: the command of a device that was taken out goes out while it is another campaign's"
TWO_AT_ONCE = "6: a device begins a second update at once"
LOST = "5: a report is lost"
COUNTED_TWICE = "a failure is counted twice"
OTHER_ATTEMPT = "a failure of another attempt is counted"
UNPUBLISHED = "DISPATCHED without a publish"
UNINSTALLED = "SUCCESS without an installation"
TAKEN_BACK = "a result takes back the row of a device at work"
COMMANDED = "SKIPPED at attempt 0, but commanded"


def moved(
    world: World,
    label: str,
    campaign: int,
    row: Row,
    broken: str | None = None,
    counted: Key | None = None,
    **more: Any,
) -> Step:
    """The row of a campaign becomes another; `counted`: the attempt whose failure that counts."""
    rows = at(world.rows, campaign, row)
    broken = broken or _breach(world, label, campaign, row, rows)
    if counted is not None:
        more["ghosts"] = world.ghosts._replace(counted=world.ghosts.counted | {counted})
    return Step(label, world._replace(rows=rows, **more), broken)


def _breach(world: World, label: str, campaign: int, row: Row, rows: tuple[Row, ...]) -> str | None:
    before, ghosts = world.rows[campaign], world.ghosts
    if row == before:
        return None
    if sum(r.status in ACTIVE for r in rows) > 1:
        return TWO_ACTIVE
    if before.status in FINISHED and not label.startswith("!operator"):
        return FINISHED_CHANGED
    if row.attempt < before.attempt:
        return ATTEMPT_BACK
    return _unfounded(row, campaign, ghosts)


def _unfounded(row: Row, campaign: int, ghosts: Ghosts) -> str | None:
    """What a row says that never happened."""
    if row.status is Status.SKIPPED and row.attempt == 0 and any(c == campaign for c, _ in ghosts.sent):
        return COMMANDED
    if row.status is Status.SUCCESS and campaign not in ghosts.installed:
        return UNINSTALLED
    if row.status is Status.DISPATCHED and (campaign, row.attempt) not in ghosts.published:
        return UNPUBLISHED
    return None


def begun(world: World, before: Command | None, request: Request | None, *, received: bool, exact: bool) -> str | None:
    """What a device breaks by being at work for `request` now; `before`: what it was at work for.

    `received`: it is a command that came now which made it so. `exact`: times are, so that a row that has timed out has
    no command under way.
    """
    if request is None or (before is not None and before.campaign_id == request.campaign + 1):
        return None
    if before is not None and received:
        return TWO_AT_ONCE
    if request.key in world.ghosts.begun:
        return TWICE
    if request.issued < world.ghosts.newest:
        return OLDER
    stale = exact and world.rows[request.campaign].status in {Status.SUCCESS, Status.FAILED}
    return STALE if stale else None
