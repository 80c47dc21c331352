"""A campaign's history as the API speaks of it."""

from typing import Annotated

from pydantic import BaseModel, Field

from pulse.contracts.status import Status
from pulse.runtime.rest import Timestamp


class HistoryPoint(BaseModel):
    """How the campaign stood at a moment.

    `promised`: how many devices the rate alone had allowed to be commanded by then, of the stages that were open,
    counted while the campaign was RUNNING. `failed_attempts`: all that had failed by then; it never falls.
    """

    at: Timestamp
    promised: float
    counts: dict[Status, int]
    failed_attempts: int


class HistoryMark(BaseModel):
    """An entry of the timeline, to be shown with the points."""

    at: Timestamp
    event: str
    stage: int | None
    detail: str | None


class History(BaseModel):
    """From the start to now, oldest first. Points are `resolution_seconds` apart, which doubles as time goes on."""

    resolution_seconds: int
    points: Annotated[list[HistoryPoint], Field(max_length=600)]
    marks: list[HistoryMark]
