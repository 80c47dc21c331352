"""The gate behind a stage, pure: is it open, and if not, what is it waiting for?"""

from datetime import datetime, timedelta
from math import ceil

from campaign_svc.engine.live import Stage, StageStatus

SOAKED = frozenset({StageStatus.SOAKING, StageStatus.AWAITING_APPROVAL})
APPROVABLE = frozenset({StageStatus.AWAITING_APPROVAL, StageStatus.FAILED})


def gate(stage: Stage, now: datetime) -> tuple[StageStatus, datetime | None]:
    """The stage's status as of `now`, and until when it soaks.

    It passes when enough of its devices have succeeded, that has held for the soak time, and approval is given where
    it is asked for; or when an approver opened it. It fails when enough can no longer succeed. Devices that never
    come back do not hold it.
    """
    if stage.status is StageStatus.PASSED or stage.updatable == 0:
        return StageStatus.PASSED, stage.soak_until
    if stage.approved and stage.status in APPROVABLE:
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
    return ceil(stage.min_success * stage.updatable - 1e-9)
