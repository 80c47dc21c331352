"""Partitions are taken from the group and given up in order; commits say how far they are done, and who owns them."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from dispatcher_svc.intake import Intake
from dispatcher_svc.membership import Membership
from dispatcher_svc.partition import Partition, Stage
from pulse.contracts.kafka import REQUESTS
from pulse.runtime.process import pause

log = structlog.get_logger()
COMMIT_SECONDS, IDLE_COMMIT_SECONDS = 0.5, 1.0
ANSWERS_SECONDS, RESULTS_SECONDS, LAST_COMMIT_SECONDS = 2.0, 2.0, 1.0
LEAVE_SECONDS = 1.0
"""Usually milliseconds; where the group is being shared out anew at that moment, the others must give up first."""
LOOK_SECONDS = 0.01


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka carries no types
    """Keeps `partitions` (by number, shared with the publisher and the reader) as the group has it.

    While nothing proves the membership, nothing is published. A commit that is answered later, under the same
    generation of the group, proves that nobody else had the partitions meanwhile; one that is refused makes the
    client join anew, and what was held is dropped. `proven` is called after each proof, `make` with a partition's
    number and the monotonic time at which it was taken.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        partitions: dict[int, Partition],
        intake: Intake,
        membership: Membership,
        proven: Callable[[], None],
        make: Callable[[int, float], Partition],
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._intake = intake
        self._membership = membership
        self._proven = proven
        self._make = make
        self._taken = asyncio.Event()
        self._committed: dict[TopicPartition, int] = {}
        self._has_share = False
        self._answers = True

    async def run(self, reading: Coroutine[None, None, None], stop: asyncio.Event) -> None:
        """Joins the group and has `reading` run until `stop`; then gives up what it has, and leaves the group.

        It leaves before anything else of the process is closed: until then nobody else gets what it had.
        """
        self._consumer.subscribe([REQUESTS.name], listener=self)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reading, name="requests"), group.create_task(self._keep(), name="commits")]
            await stop.wait()
            for task in tasks:
                task.cancel()
        await self._give_up()
        await self._leave()

    async def is_ready(self) -> bool:
        """Whether the group has given its share to this process, and that share is surely still its own."""
        return self._has_share and (not self._partitions or self._membership.holds(time.monotonic()))

    # What the group says

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        now = time.monotonic()
        self._partitions.update({tp.partition: self._make(tp.partition, now) for tp in assigned})
        self._membership.reset()
        self._committed.clear()
        self._has_share = True
        self._taken.set()
        log.info("partitions_taken", partitions=sorted(self._partitions))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002  it is always all
        await self._give_up()

    # Giving up

    async def _give_up(self) -> None:
        """Returns what waits, settles what is in flight, commits; what cannot be settled in time will be read again."""
        self._has_share = False
        leaving = list(self._partitions.values())
        if leaving and self._membership.holds(time.monotonic()):
            for partition in leaving:
                self._intake.give_back(partition)
            answered = await _until(lambda: not any(p.in_flight for p in leaving), ANSWERS_SECONDS)
            settled = await _until(lambda: not any(p.unsent_results for p in leaving), RESULTS_SECONDS)
            await self._commit_last()
            log.info("partitions_given_up", answered=answered, settled=settled)
        self._drop()

    def _drop(self) -> None:
        for partition in self._partitions.values():
            partition.stage = Stage.GONE
        self._partitions.clear()
        self._membership.reset()

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._consumer.stop()
        except (KafkaError, TimeoutError) as error:  # the group finds out when the session ends
            log.warning("group_not_left", error=repr(error))

    async def _commit_last(self) -> None:
        positions = self._positions()
        if not positions:
            return
        try:
            async with asyncio.timeout(LAST_COMMIT_SECONDS):
                await self._consumer.commit(positions)
        except (KafkaError, TimeoutError) as error:
            log.warning("last_commit_failed", error=repr(error))

    # Commits

    async def _keep(self) -> None:
        """Commits when partitions were taken, then twice a second, while nothing is held once; until cancelled."""
        while True:
            self._taken.clear()
            if self._partitions:
                await self._prove()
            await pause(self._taken, COMMIT_SECONDS if self._intake.holds else IDLE_COMMIT_SECONDS)

    async def _prove(self) -> None:
        """One commit; its answer proves that the partitions were this process's when it was sent."""
        term = self._membership.term
        try:
            async with asyncio.timeout(self._membership.lasts):
                await self._learn_positions()
                positions, sent_at = self._news(), time.monotonic()
                if not positions:
                    return
                await self._consumer.commit(positions)
        except (KafkaError, TimeoutError) as error:
            self._note(answers=False, error=error)
        else:
            self._note(answers=True)
            if term == self._membership.term:
                self._committed |= positions
            self._membership.proven(sent_at, term)
            self._proven()

    async def _learn_positions(self) -> None:
        for partition in list(self._partitions.values()):
            if partition.watermark.position is None:
                partition.watermark.begin(await self._consumer.position(_of(partition)))

    def _news(self) -> dict[TopicPartition, int]:
        """What is not committed yet; with nothing new any one position, which proves the membership just as well."""
        positions = self._positions()
        news = {tp: offset for tp, offset in positions.items() if self._committed.get(tp) != offset}
        return news or dict(list(positions.items())[:1])

    def _positions(self) -> dict[TopicPartition, int]:
        positions = {_of(p): p.watermark.position for p in self._partitions.values()}
        return {tp: offset for tp, offset in positions.items() if offset is not None}

    def _note(self, *, answers: bool, error: BaseException | None = None) -> None:
        if answers != self._answers:
            log.warning("commits_answered", answered=answers, error=repr(error) if error else None)
        self._answers = answers


def _of(partition: Partition) -> TopicPartition:
    return TopicPartition(REQUESTS.name, partition.number)


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits until the condition holds; False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True
