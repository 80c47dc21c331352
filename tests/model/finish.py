"""A campaign's end: judge, abort, pause and an operator's retry, as transactions that may meet."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from campaign_svc.engine.judge import Change, judge
from campaign_svc.engine.live import Firmware, LiveCampaign, Stage, StageStatus
from campaign_svc.engine.policy import AbortPolicy, AbortRule, Limits
from pulse.contracts.status import FINISHED, CampaignStatus, Event, Row, Status
from tests.model.explore import STUCK, Step
from tests.model.life.world import at
from tests.model.rules import NOON, row_after
from tests.model.suite import Case

C = CampaignStatus
WAITING = Row(Status.PENDING, 0, 0)
UNSAID = "a campaign completes although its rule says stop"
NEVER = 1.0
"""A threshold that no share of failures is above."""


class End(NamedTuple):
    """`seen`: what a judge without the lock has read and not yet written; `asked`: a retry that is to be worked off."""

    status: CampaignStatus = C.RUNNING
    rows: tuple[Row, ...] = (WAITING, WAITING)
    seen: CampaignStatus | None = None
    asked: bool = False
    retries: int = 2
    aborts: int = 1
    pauses: int = 0


@cache
def verdict(end: End, threshold: float) -> CampaignStatus | None:
    """What the product's judge makes of the campaign, whose rule is a share of failures above the threshold."""
    counts = Counter(str(row.status) for row in end.rows)
    stage = Stage(0, 1.0, False, 0, 0.0, False, False, StageStatus.RUNNING, None, False, counts)
    campaign = LiveCampaign(
        id=1,
        tenant_id="t",
        status=end.status,
        epoch=1,
        firmware=Firmware("2", "http://x", 1, "aa"),
        abort=AbortPolicy(AbortRule.RATIO, threshold, 1, 0.95),
        limits=Limits(None, None, 1),
        max_attempts=1,
        attempt_timeout_seconds=60,
        end_at=None,
        retry_before=NOON if end.asked else None,
        current_stage=0,
        stages=(stage,),
        now=NOON,
        overdue=False,
        silent=False,
    )
    found = judge(campaign)
    return found.status if isinstance(found, Change) else None


@dataclass(frozen=True, slots=True)
class Finish:
    """Two devices, one attempt each; `pauses`: how often it may be paused. The other switches are errors."""

    threshold: float = NEVER
    pauses: int = 0
    without_the_lock: bool = False
    reopens_nothing: bool = False
    aborted_not_ticked: bool = False
    paused_not_aborted: bool = False

    def start(self) -> End:
        return End(pauses=self.pauses)

    def is_good(self, end: End) -> bool:
        return end.status in {C.COMPLETED, C.ABORTED} and all(row.status in FINISHED for row in end.rows)

    def steps(self, end: End) -> Iterator[Step]:
        for place, row in enumerate(end.rows):
            for event in self._events(end, row):
                yield Step(f"{event} {place}", _with(end, place, event))
            if end.asked and row.status is Status.FAILED:
                yield Step(f"retry {place}", _with(end, place, Event.RETRY))
        if end.asked and not any(row.status is Status.FAILED for row in end.rows):
            yield Step("the retry is worked off", end._replace(asked=False))
        yield from self._judge(end)
        yield from self._operate(end)

    def _events(self, end: End, row: Row) -> list[Event]:
        if row.status is Status.PENDING:
            ends = [Event.END] if end.status is C.ABORTED and not self.aborted_not_ticked else []
            return [Event.CLAIM, Event.UNFIT] if end.status is C.RUNNING else ends
        return [] if row.status in FINISHED else [Event.SUCCESS, Event.FAILED, Event.RETURNED]

    def _judge(self, end: End) -> Iterator[Step]:
        found = self._verdict(end)
        if end.seen is not None:
            yield Step(f"the judge commits {end.seen}", end._replace(status=end.seen, seen=None))
        elif found is not None and self.without_the_lock:
            yield Step(f"the judge reads: {found}", end._replace(seen=found))
        elif found is not None:
            broken = UNSAID if found is C.COMPLETED and _failed_share(end) > self.threshold else None
            yield Step(f"the judge: {found}", end._replace(status=found), broken)

    def _verdict(self, end: End) -> CampaignStatus | None:
        judged = end._replace(seen=None)
        lenient = self.paused_not_aborted and end.status is C.PAUSED
        return verdict(judged, NEVER if lenient else self.threshold)

    def _operate(self, end: End) -> Iterator[Step]:
        if end.pauses and end.status is C.RUNNING:
            yield Step("!pause", end._replace(status=C.PAUSED, pauses=end.pauses - 1))
        if end.status is C.PAUSED:
            yield Step("resume", end._replace(status=C.RUNNING))
        if end.aborts and end.status is C.RUNNING:
            yield Step("!abort", end._replace(status=C.ABORTED, aborts=end.aborts - 1))
        failed = any(row.status is Status.FAILED for row in end.rows)
        if end.retries and failed and end.status in {C.RUNNING, C.COMPLETED}:
            status = end.status if self.reopens_nothing else C.RUNNING
            yield Step("!operator retries", end._replace(status=status, asked=True, retries=end.retries - 1))


def _with(end: End, place: int, event: Event) -> End:
    row = end.rows[place]
    after = row_after(row, event, row.attempt, 1)
    return end._replace(rows=at(end.rows, place, after._replace(attempt=min(after.attempt, 1))))


def _failed_share(end: End) -> float:
    said = [row.status for row in end.rows if row.status in {Status.SUCCESS, Status.FAILED}]
    return said.count(Status.FAILED) / max(1, len(said))


HOLDS = [
    Case("judge, abort and retry", Finish()),
    Case("a rule that stops at the first failure, and a pause", Finish(threshold=0.0, pauses=1)),
]
SEEDED = [
    Case("a paused campaign is not stopped", Finish(threshold=0.0, pauses=1, paused_not_aborted=True), UNSAID),
    Case("the judge does not lock the campaign", Finish(without_the_lock=True), STUCK),
    Case("a retry does not reopen what has completed", Finish(reopens_nothing=True), STUCK),
    Case("an aborted campaign is not ticked", Finish(aborted_not_ticked=True), STUCK),
]
