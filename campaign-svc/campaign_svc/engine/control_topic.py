"""The control topic as it stands: each campaign's last record and its highest, read from the beginning on."""

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from campaign_svc.metrics import OUTAGES
from pulse.contracts.kafka import CONTROL, UNREADABLE, CampaignControl, decoder
from pulse.contracts.status import CampaignStatus
from pulse.runtime.kafka import METADATA_MS
from pulse.runtime.kafka_cluster import Cluster
from pulse.runtime.process import pause

POLL_MS = 500
FETCH_MS = 2_000
"""With one partition a long poll holds up nobody: the first record ends it."""
RETRY_SECONDS = 2.0
ANSWER_SECONDS = 10.0
_PARTITION = TopicPartition(CONTROL.name, 0)
_decoder = decoder(CampaignControl)

log = structlog.get_logger()


class ControlTopic:
    """What readers of the topic know, and what compaction would keep: of each campaign the last record."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._last: dict[int, tuple[int, CampaignStatus]] = {}
        self._heard: dict[int, CampaignControl] = {}
        self.read_to_end = False
        """Whether everything that was there at the start has been read; before that, nothing can be said."""

    def says(self, campaign_id: int) -> tuple[int, CampaignStatus] | None:
        """Epoch and status in the campaign's last record; None: there is none."""
        return self._last.get(campaign_id)

    def heard(self, campaign_id: int) -> CampaignControl | None:
        """What dispatchers hold to, whatever came after it: the first record of the highest epoch."""
        return self._heard.get(campaign_id)

    async def follow(self, stop: asyncio.Event) -> None:
        """Reads until `stop`, and waits out a Kafka that is away."""
        while not stop.is_set():
            try:
                await self._read(stop)
            except (KafkaError, TimeoutError) as error:
                OUTAGES.labels("control_topic").inc()
                log.warning("control_topic_away", error=repr(error))
                await pause(stop, RETRY_SECONDS)

    async def _read(self, stop: asyncio.Event) -> None:
        consumer = self._cluster.consumer(
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=5_000,
            fetch_max_wait_ms=FETCH_MS,
            metadata_max_age_ms=METADATA_MS,
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await consumer.start()
                consumer.assign([_PARTITION])
                await consumer.seek_to_beginning(_PARTITION)
                end = (await consumer.end_offsets([_PARTITION]))[_PARTITION]
            while not stop.is_set():
                await self._poll(consumer, end)
        finally:
            await consumer.stop()

    async def _poll(self, consumer: AIOKafkaConsumer, end: int) -> None:
        for records in (await consumer.getmany(_PARTITION, timeout_ms=POLL_MS)).values():
            for record in records:
                self._take(record.value, record.offset)
        if not self.read_to_end:
            self.read_to_end = await consumer.position(_PARTITION) >= end

    def _take(self, value: bytes | None, offset: int) -> None:
        try:
            record = _decoder.decode(value or b"")
        except UNREADABLE as error:
            log.warning("control_record_unreadable", offset=offset, error=str(error))
            return
        self._last[record.campaign_id] = (record.epoch, CampaignStatus(record.status))
        heard = self._heard.get(record.campaign_id)
        if heard is None or record.epoch > heard.epoch:
            self._heard[record.campaign_id] = record
