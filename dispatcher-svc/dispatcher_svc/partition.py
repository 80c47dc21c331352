"""The requests that a partition holds: one queue and one bucket per campaign, in fair turns. Pure, time an argument."""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto
from heapq import heappop, heappush

from dispatcher_svc.queues import Held, Queue, Seat
from dispatcher_svc.watermark import Watermark
from pulse.contracts.kafka import DispatchRequest, Outcome
from pulse.runtime.bucket import Bucket

IDLE_SECONDS = 60.0
"""A queue that has been empty for so long, its bucket full, is forgotten; a new bucket would be just as full."""


class Stage(Enum):
    """What this process may do with a partition."""

    HELD = auto()
    LEAVING = auto()
    """All that waits has been returned; what is in flight is being awaited."""
    GONE = auto()
    """Somebody else's: nothing of it is published or settled any more."""


class Partition:
    """What this process holds of one partition, from the moment that it was given to it.

    `cap_rate` (commands per second) and `cap_burst` bound what all its campaigns together send to the broker.
    """

    def __init__(self, number: int, taken_at: float, cap_rate: float, cap_burst: float) -> None:
        self.number = number
        self.watermark = Watermark()
        self.stage = Stage.HELD
        self.in_flight = 0
        self.unsent_results = 0
        self._taken_at = taken_at
        self._cap = Bucket(cap_rate, cap_burst, taken_at)
        self._queues: dict[tuple[int, str], Queue] = {}
        self._ready: deque[Queue] = deque()
        self._sleeping: list[tuple[float, int, Queue]] = []
        self._pushed = 0
        self._count = 0

    def __len__(self) -> int:
        """How many requests wait here (those in flight not counted)."""
        return self._count

    def add(self, held: Held, now: float) -> None:
        """To the back of its queue; the bucket follows the rate of the newest epoch seen."""
        queue = self._queue_of(held.request)
        if held.request.epoch > queue.epoch:
            queue.epoch = held.request.epoch
            queue.bucket.change(held.request.bucket_rate, held.request.bucket_burst, now)
            if queue.seat is Seat.SLEEPING:
                self._seat_ready(queue)
        queue.waiting.append(held)
        self._count += 1
        if queue.seat is Seat.EMPTY:
            self._seat_ready(queue)

    def put_back(self, lost: Iterable[Held]) -> None:
        """Those that were sent and not answered go to the front of their queues, and wait for a token anew."""
        for held in sorted(lost, key=lambda h: h.offset, reverse=True):
            queue = self._queue_of(held.request)
            queue.waiting.appendleft(held)
            self._count += 1
            if queue.seat in {Seat.EMPTY, Seat.BLOCKED}:
                self._seat_ready(queue)

    def next(self, now: float) -> Held | None:
        """The request whose turn it is, if there are tokens for it; it stays where it is."""
        self._wake(now)
        if self._cap.due > now:
            return None
        while self._ready:
            queue = self._ready[0]
            if queue.seat is not Seat.READY:
                self._ready.popleft()
            elif not queue.waiting:
                self._ready.popleft()
                queue.seat = Seat.EMPTY
            elif queue.bucket.due > now:
                self._ready.popleft()
                self._seat_sleeping(queue)
            else:
                return queue.waiting[0]
        return None

    def take(self, now: float) -> None:
        """Removes the request that `next` gave, with its tokens; the next turn is another campaign's."""
        queue = self._ready[0]
        queue.bucket.take(now)
        self._cap.take(now)
        self._pop(queue)
        self._ready.rotate(-1)

    def drop(self) -> None:
        """Removes the request that `next` gave without a token: it has been settled otherwise."""
        self._pop(self._ready[0])

    def block(self) -> None:
        """The request that `next` gave waits for news of its campaign: until `sort_out` comes by."""
        self._ready.popleft().seat = Seat.BLOCKED

    def sort_out(
        self, judge: Callable[[Held], Outcome | None], campaign_id: int | None = None
    ) -> list[tuple[Held, Outcome]]:
        """Removes and returns what `judge` has an outcome for, of one campaign or of all; blocked queues get a turn."""
        found: list[tuple[Held, Outcome]] = []
        for queue in self._queues.values():
            if queue.waiting and campaign_id in {None, queue.campaign_id}:
                self._sort_out_queue(queue, judge, found)
        return found

    def _sort_out_queue(
        self, queue: Queue, judge: Callable[[Held], Outcome | None], found: list[tuple[Held, Outcome]]
    ) -> None:
        judged = [(held, judge(held)) for held in queue.waiting]
        gone = [(held, outcome) for held, outcome in judged if outcome is not None]
        if gone:
            queue.waiting = deque(held for held, outcome in judged if outcome is None)
            self._count -= len(gone)
            found += gone
        if queue.seat is Seat.BLOCKED:
            self._seat_ready(queue)

    @property
    def wake_at(self) -> float:
        """When a token will be there for a request that waits; infinite where none does."""
        if self._ready:
            return self._cap.due
        return max(self._sleeping[0][0], self._cap.due) if self._sleeping else float("inf")

    @property
    def queue_count(self) -> int:
        """Campaigns of which a bucket is kept."""
        return len(self._queues)

    @property
    def campaigns(self) -> set[int]:
        """Those of which a bucket is kept."""
        return {queue.campaign_id for queue in self._queues.values()}

    @property
    def promised_rate(self) -> float:
        """Commands per second that the buckets with work earn."""
        return min(self._cap.rate, sum(q.bucket.rate for q in self._queues.values() if q.waiting))

    def forget_idle(self, now: float) -> None:
        """Drops queues that have long been empty."""
        idle = [k for k, q in self._queues.items() if q.seat is Seat.EMPTY and q.bucket.full_at + IDLE_SECONDS < now]
        for key in idle:
            del self._queues[key]

    def _queue_of(self, request: DispatchRequest) -> Queue:
        key = (request.campaign_id, request.bucket)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = Queue(request, self._taken_at)
        return queue

    def _wake(self, now: float) -> None:
        while self._sleeping and self._sleeping[0][0] <= now:
            due, _, queue = heappop(self._sleeping)
            if queue.seat is Seat.SLEEPING and queue.due == due:
                self._seat_ready(queue)

    def _seat_ready(self, queue: Queue) -> None:
        queue.seat = Seat.READY
        self._ready.append(queue)

    def _seat_sleeping(self, queue: Queue) -> None:
        queue.seat, queue.due = Seat.SLEEPING, queue.bucket.due
        self._pushed += 1
        heappush(self._sleeping, (queue.due, self._pushed, queue))

    def _pop(self, queue: Queue) -> None:
        queue.waiting.popleft()
        self._count -= 1
