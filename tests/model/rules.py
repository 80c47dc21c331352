"""The product's own pure rules as the models use them, remembered per question; and errors seeded into them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeAlias

from msgspec.structs import replace as changed

from dispatcher_svc.knowledge import Knowledge, Stand
from fleetsim import device
from fleetsim.device import Memory, Received
from fleetsim.wire import Command
from pulse.contracts import status
from pulse.contracts.kafka import CampaignControl, ControlStatus, DispatchRequest, Outcome
from pulse.contracts.status import FINISHED, REPORTS, RESULTS, Event, Row, Status

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When every command of the models expires."""
BEFORE, AFTER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)

RowRule: TypeAlias = Callable[[Row, Event, int | None, int], Row]
DeviceRule: TypeAlias = Callable[[Memory, device.Event, datetime], Memory]
StandRule: TypeAlias = Callable[[int, ControlStatus, int, bool], Stand | Outcome]


@cache
def row_after(row: Row, event: Event, attempt: int | None, max_attempts: int) -> Row:
    return status.step(row, event, attempt=attempt, max_attempts=max_attempts)[0]


@cache
def device_after(memory: Memory, event: device.Event, now: datetime) -> Memory:
    return device.step(memory, event, now)


@cache
def stand(known_epoch: int, known: ControlStatus, epoch: int, expired: bool) -> Stand | Outcome:
    """What a dispatcher that knows this of a campaign does with a request of that epoch."""
    knowledge = Knowledge(max_age=1)
    knowledge.learn(CampaignControl(tenant_id="t", campaign_id=1, epoch=known_epoch, status=known, at=NOON))
    return knowledge.stand(request(epoch), expired=expired)


@cache
def request(epoch: int) -> DispatchRequest:
    """A dispatch request of campaign 1, of that epoch."""
    return DispatchRequest(
        tenant_id="t",
        campaign_id=1,
        device_id="d",
        attempt=1,
        epoch=epoch,
        bucket="1:0",
        bucket_rate=1,
        bucket_burst=1,
        not_after=NOON,
        expires_at=NOON,
        command="",
    )


@cache
def command(campaign: int, attempt: int, issued: int, version: str) -> Command:
    """A command for the device; `issued` is the place of its claim among all claims."""
    issued_at = f"2026-01-01T10:00:00.{issued:06}Z"
    return Command("ota_update", campaign, attempt, version, "http://x", 1, "aa", issued_at, NOON)


def place(issued_at: str) -> int:
    """The place of a command's claim among all claims."""
    return int(issued_at[-7:-1])


@dataclass(frozen=True, slots=True)
class Rules:
    """The product's, unless an error is seeded."""

    row: RowRule = row_after
    device: DeviceRule = device_after
    stand: StandRule = stand


# Errors of the row's rules


def any_attempts_result(row: Row, event: Event, attempt: int | None, most: int) -> Row:
    """A dispatch result counts whatever attempt it is of."""
    return row_after(row, event, row.attempt if event in RESULTS else attempt, most)


def result_moves_any_row(row: Row, event: Event, attempt: int | None, most: int) -> Row:
    """A dispatch result counts for rows that are past QUEUED."""
    if event in RESULTS and row.status not in FINISHED and row.status is not Status.PENDING and attempt == row.attempt:
        return row_after(row._replace(status=Status.QUEUED), event, attempt, most)
    return row_after(row, event, attempt, most)


def any_attempts_report(row: Row, event: Event, attempt: int | None, most: int) -> Row:
    """A report counts whatever attempt it is of."""
    return row_after(row, event, row.attempt if event in REPORTS else attempt, most)


def failed_counts_while_waiting(row: Row, event: Event, attempt: int | None, most: int) -> Row:
    """FAILED counts for a PENDING row."""
    if event is Event.FAILED and row.status is Status.PENDING and attempt == row.attempt:
        return row_after(row._replace(status=Status.DISPATCHED), event, attempt, most)
    return row_after(row, event, attempt, most)


def report_reopens(row: Row, event: Event, attempt: int | None, most: int) -> Row:
    """A report moves a finished row."""
    if event in REPORTS and row.status in FINISHED and attempt == row.attempt:
        return row_after(row._replace(status=Status.DISPATCHED), event, attempt, most)
    return row_after(row, event, attempt, most)


def report_makes_active(row: Row, event: Event, attempt: int | None, most: int) -> Row:
    """A report makes a PENDING row active."""
    if event in {Event.DOWNLOADING, Event.INSTALLING} and row.status is Status.PENDING and attempt == row.attempt:
        return row_after(row._replace(status=Status.QUEUED), event, attempt, most)
    return row_after(row, event, attempt, most)


def older_success_ends(row: Row, event: Event, attempt: int | None, most: int) -> Row:
    """SUCCESS of an older attempt ends the row."""
    return row_after(row, event, row.attempt if event is Event.SUCCESS else attempt, most)


# Errors of the dispatcher's


def epoch_ignored(known_epoch: int, known: ControlStatus, epoch: int, expired: bool) -> Stand | Outcome:
    """Only `not_after` is looked at."""
    return Outcome.EXPIRED if expired else Stand.GO


# Errors of the device's


def forgets_what_it_handled(memory: Memory, event: device.Event, now: datetime) -> Memory:
    """Acts on every command as if it were the first."""
    return device_after(changed(memory, handled="") if isinstance(event, Received) else memory, event, now)


def forgets_what_it_answered(memory: Memory, event: device.Event, now: datetime) -> Memory:
    """Remembers only the commands that it acted on, not those that it only answered."""
    after = device_after(memory, event, now)
    acted = after.at_hand != memory.at_hand or after.waiting != memory.waiting
    return after if acted or not isinstance(event, Received) else changed(after, handled=memory.handled)


def starts_at_once(memory: Memory, event: device.Event, now: datetime) -> Memory:
    """Begins another campaign's command although it is at work."""
    if isinstance(event, Received) and memory.at_hand and memory.at_hand.campaign_id != event.command.campaign_id:
        memory = changed(memory, at_hand=None)
    return device_after(memory, event, now)
