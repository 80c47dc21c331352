"""Requests are judged when they come, at news of their campaign, when they expire, and when their partition leaves.

What is settled by that goes to the results; the rest waits in its queue.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from dispatcher_svc.judge import Judge
from dispatcher_svc.partition import Partition, Stage
from dispatcher_svc.queues import Held
from dispatcher_svc.results import Results
from pulse.contracts.kafka import Outcome


class Intake:
    """`soon` is called whenever something may go out that could not before."""

    def __init__(
        self, partitions: Mapping[int, Partition], judge: Judge, results: Results, soon: Callable[[], None]
    ) -> None:
        self._partitions = partitions
        self._judge = judge
        self._results = results
        self._soon = soon
        self.came = asyncio.Event()
        """Set when a request is taken; cleared by who waits for one."""

    @property
    def holds(self) -> bool:
        """Whether anything waits here, or is in flight and may come back."""
        return any(len(partition) or partition.in_flight for partition in self._partitions.values())

    def accept(self, held: Held) -> None:
        """Takes a request that has just been read."""
        outcome = self._judge.outcome(held)
        if outcome is not None:
            self._results.settle(held, outcome)
        else:
            held.partition.add(held, time.monotonic())
            self.came.set()
            self._soon()

    def learnt(self, campaign_id: int) -> None:
        """There is news of a campaign: settles what it ends, lets go what waited for it."""
        for partition in self._partitions.values():
            self._settle(partition.sort_out(self._judge.outcome, campaign_id))
        self._soon()

    def sweep(self) -> None:
        """Settles what has expired while it waited."""
        for partition in self._partitions.values():
            self._settle(partition.sort_out(lambda held: Outcome.EXPIRED if self._judge.is_expired(held) else None))
            partition.forget_idle(time.monotonic())
        self._soon()

    def give_back(self, partition: Partition) -> None:
        """The partition leaves: all that waits is RETURNED; what is in flight will still be settled."""
        partition.stage = Stage.LEAVING
        self._settle(partition.sort_out(lambda _: Outcome.RETURNED))

    def _settle(self, settled: Iterable[tuple[Held, Outcome]]) -> None:
        for held, outcome in settled:
            self._results.settle(held, outcome)
