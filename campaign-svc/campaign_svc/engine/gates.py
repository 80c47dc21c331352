"""The gate behind a stage, pure: is it open, and if not, what is it waiting for?"""

from datetime import datetime, timedelta
from math import ceil

from campaign_svc.engine.live import Stage, StageStatus
from pulse.contracts.status import Status, Wait

SOAKED = frozenset({StageStatus.SOAKING, StageStatus.AWAITING_APPROVAL})
APPROVABLE = frozenset({StageStatus.AWAITING_APPROVAL, StageStatus.FAILED})
"""Gates that wait for a decision. A RUNNING one may be opened early, for a reason; a SOAKING one opens by itself."""


def gate(stage: Stage, now: datetime) -> tuple[StageStatus, datetime | None]:
    """The stage's status as of `now`, and until when it soaks.

    It passes when enough of its devices have succeeded, that has held for the soak time, and approval is given where
    it is asked for; or when an approver opened it. It fails when enough can no longer succeed. Devices that never
    come back hold it where too few others are left: see `is_stuck`.
    """
    if stage.status is StageStatus.PASSED or stage.updatable == 0:
        return StageStatus.PASSED, stage.soak_until
    if stage.approved and stage.status in APPROVABLE | {StageStatus.RUNNING}:
        return StageStatus.PASSED, stage.soak_until
    needed = needed_successes(stage)
    if stage.updatable - stage.failed < needed:
        return StageStatus.FAILED, None
    if stage.succeeded < needed:
        return StageStatus.RUNNING, None
    return _after_success(stage, now)


def _after_success(stage: Stage, now: datetime) -> tuple[StageStatus, datetime]:
    soaking_since_before = stage.status in SOAKED and stage.soak_until is not None
    until = stage.soak_until if soaking_since_before else None
    soak_until = until or now + timedelta(seconds=stage.soak_seconds)
    if now < soak_until:
        return StageStatus.SOAKING, soak_until
    if stage.approval and not stage.approved:
        return StageStatus.AWAITING_APPROVAL, soak_until
    return StageStatus.PASSED, soak_until


def needed_successes(stage: Stage) -> int:
    """The least number of successes that is at least `min_success` of the devices that can be updated."""
    return needed(stage.min_success, stage.updatable)


def needed(min_success: float, updatable: int) -> int:
    """The same from a share (0 to 1) and a number of devices."""
    return ceil(min_success * updatable - 1e-9)


def is_stuck(stage: Stage, queued_again: int) -> bool:
    """Whether a running gate cannot open by itself for now, each device of the stage having had its turn.

    It is stuck when too few would have succeeded even if every other device did: it needs some that are held back,
    since nobody took their command or the broker refused it. `queued_again`: QUEUED devices that were held back
    before, and most likely are so again in a moment.
    """
    if not stage.gate or stage.approved or stage.status is not StageStatus.RUNNING:
        return False
    counts = stage.counts
    held = counts.get(Wait.OFFLINE, 0) + counts.get(Wait.REFUSED, 0)
    wait_for_their_turn = counts.get(Status.PENDING, 0) - held - counts.get(Wait.RETRY, 0)
    others = stage.updatable - stage.failed - held - queued_again
    return wait_for_their_turn == 0 and others < needed_successes(stage) <= stage.updatable - stage.failed
