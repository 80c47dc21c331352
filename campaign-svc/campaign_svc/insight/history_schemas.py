"""A campaign's history as the API speaks of it."""

from typing import Annotated

from pydantic import Field

from pulse.contracts.status import Status
from pulse.runtime.rest import Answer, Timestamp


class HistoryPoint(Answer):
    """How the campaign stood at a moment.

    `promised`: how many devices the rate alone had allowed to be commanded by then, of the stages that were open,
    counted while the campaign was RUNNING. `failed_attempts`: all that had failed by then; it never falls.
    """

    at: Timestamp
    """The moment, RFC 3339 in UTC."""
    promised: float
    """Devices that the rate alone had allowed to be commanded by then, from 0, to one decimal."""
    counts: dict[Status, int]
    """Number of devices by status at that moment; all eight statuses are there."""
    failed_attempts: int
    """Attempts that had failed by then, from 0."""


class HistoryMark(Answer):
    """An entry of the timeline, to be shown with the points."""

    at: Timestamp
    """When, RFC 3339 in UTC."""
    event: str
    """What happened, as in the timeline."""
    stage: int | None
    """Number of the stage that it concerns, from 0; null: none."""
    detail: str | None
    """The reason in words; null where there is none."""


class History(Answer):
    """From the start to now, oldest first. Points are `resolution_seconds` apart, which doubles as time goes on."""

    resolution_seconds: int
    """Seconds from one point to the next: 1, 2, 4, 8 and so on."""
    points: Annotated[list[HistoryPoint], Field(max_length=600)]
    """At most 600 points; the last one is now."""
    marks: list[HistoryMark]
    """What happened meanwhile, oldest first."""
