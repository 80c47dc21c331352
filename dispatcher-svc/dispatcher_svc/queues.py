"""A request in the process's hands, and the queue of its campaign."""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from pulse.contracts.kafka import DispatchRequest
from pulse.runtime.bucket import Bucket

if TYPE_CHECKING:
    from dispatcher_svc.partition import Partition


@dataclass(slots=True, eq=False)
class Held:
    """One reading of a dispatch request. `not_after`, `expires_at` and `asked_at` in seconds since 1970."""

    partition: "Partition"
    offset: int
    request: DispatchRequest
    not_after: float
    expires_at: float
    asked_at: float
    trace: str | None


class Seat(Enum):
    """Where a queue waits."""

    EMPTY = auto()
    READY = auto()
    SLEEPING = auto()
    BLOCKED = auto()


class Queue:
    """The requests of one bucket, in the order of their offsets."""

    __slots__ = ("bucket", "campaign_id", "due", "epoch", "seat", "waiting")

    def __init__(self, request: DispatchRequest, empty_at: float) -> None:
        self.campaign_id = request.campaign_id
        self.epoch = request.epoch
        self.bucket = Bucket(request.bucket_rate, request.bucket_burst, empty_at)
        self.waiting: deque[Held] = deque()
        self.seat = Seat.EMPTY
        self.due = empty_at
