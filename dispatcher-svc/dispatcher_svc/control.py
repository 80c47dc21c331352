"""Campaign states come in from the compacted control topic, and how far it goes is asked while anything may go out."""

import asyncio
import time
from collections.abc import Callable

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from dispatcher_svc.clients import Clients
from dispatcher_svc.intake import Intake
from dispatcher_svc.knowledge import Knowledge
from pulse.contracts.kafka import CONTROL, UNREADABLE, CampaignControl, decoder
from pulse.runtime.kafka import quarantine
from pulse.runtime.process import pause

log = structlog.get_logger()
PARTITION = TopicPartition(CONTROL.name, 0)
READ_MS, IDLE_READ_MS = 100, 500
"""Also the longest that an empty batch (all of it compacted away) keeps the position from being noted."""

ANSWER_SECONDS = 1.0
IDLE_SECONDS = 1.0
"""Between two questions while nothing is held: whoever comes next is held back for one answer, some milliseconds."""


class ControlTopicCut(Exception):
    """The topic ends before what has been read of it: it was made anew, and what is known may be wrong."""


class Control:
    """Feeds `knowledge`, tells `intake` what is new, and calls `renewed` when it may have become fresher.

    The asker is a client of its own, since an answer on the reader's connection would wait for its long poll.
    It asks every `ask_every` seconds while anything is held, else once a second, and at once when a request comes.
    """

    def __init__(
        self,
        kafka: Clients,
        knowledge: Knowledge,
        intake: Intake,
        renewed: Callable[[], None],
        ask_every: float,
    ) -> None:
        self._reader, self._asker, self._producer = kafka.reader, kafka.asker, kafka.producer
        self._knowledge = knowledge
        self._intake = intake
        self._renewed = renewed
        self._ask_every = ask_every
        self._decode = decoder(CampaignControl).decode

    async def read(self) -> None:
        """Until cancelled. Raises KafkaError where Kafka refuses for good."""
        self._reader.assign([PARTITION])
        await self._reader.seek_to_beginning(PARTITION)
        while True:
            wait_ms = READ_MS if self._intake.holds else IDLE_READ_MS
            batches = await self._reader.getmany(PARTITION, timeout_ms=wait_ms)
            for record in batches.get(PARTITION, []):
                await self._take(record)
            self._knowledge.read_to(await self._reader.position(PARTITION))
            self._renewed()

    async def is_complete(self) -> bool:
        """Whether the topic has been read to its end once."""
        return self._knowledge.is_complete

    async def ask(self) -> None:
        """Until cancelled. Raises ControlTopicCut."""
        answers = True
        while True:
            self._intake.came.clear()
            asked_at, read_to = time.monotonic(), self._knowledge.position
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    ends = await self._asker.end_offsets([PARTITION])
            except (KafkaError, TimeoutError) as error:
                if answers:
                    log.warning("control_topic_does_not_answer", error=repr(error))
                answers = False
            else:
                if not answers:
                    log.info("control_topic_answers_again")
                answers = True
                self._answered(asked_at, read_to, ends[PARTITION])
            await self._rest(asked_at)

    async def _rest(self, asked_at: float) -> None:
        """Until the next question is due."""
        if self._intake.holds:
            await asyncio.sleep(max(0.0, asked_at + self._ask_every - time.monotonic()))
        else:
            await pause(self._intake.came, max(0.0, asked_at + IDLE_SECONDS - time.monotonic()))

    def _answered(self, asked_at: float, read_to: int, end: int) -> None:
        if end < read_to:
            raise ControlTopicCut(f"{CONTROL.name} ends at {end}, but was read to {read_to}")
        self._knowledge.answered(asked_at, end)
        self._renewed()

    async def _take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        try:
            control = self._decode(record.value or b"")
        except UNREADABLE as error:
            source = f"{record.topic}/{record.partition}/{record.offset}"
            log.warning("control_record_unreadable", source=source, error=str(error))
            await quarantine(self._producer, source, "unreadable", str(error), record.value or b"")
            return
        if self._knowledge.learn(control):
            if self._knowledge.is_complete:  # not the whole history at each start
                log.info(
                    "campaign_changed", campaign_id=control.campaign_id, epoch=control.epoch, status=control.status
                )
            self._intake.learnt(control.campaign_id)
