"""How long Kafka may hold a fetch of several partitions open: long while nothing comes, short while something does."""

import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer

IDLE_MS = 250
"""A member that gets more partitions waits for the fetch that it has out: no more than this is added to a rebalance."""
QUIET_SECONDS = 2.0


class Polls:
    """Sets a started consumer's longest wait for a fetch: `busy_ms`, or IDLE_MS after two seconds without a record.

    A broker answers one fetch of a connection at a time. While records of one partition are being taken, the next
    fetch is about the others only, and as long as it waits for them the busy one gets nothing: so it must be short. A
    fetch that asks for all partitions may be long, since the first record of any of them ends it.
    """

    def __init__(self, consumer: AIOKafkaConsumer, busy_ms: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._consumer = consumer
        self._busy_ms = busy_ms
        self._clock = clock
        self._last = clock()

    def note(self, *, came: bool) -> None:
        """After each `getmany`, before anything is awaited: the client's next fetch is made right after that."""
        if came:
            self._last = self._clock()
        wait_ms = IDLE_MS if self.is_idle else self._busy_ms
        self._consumer._fetcher._fetch_max_wait_ms = wait_ms  # noqa: SLF001  else it can only be said at the start

    @property
    def is_idle(self) -> bool:
        """Whether no record has come for two seconds."""
        return self._clock() - self._last >= QUIET_SECONDS
