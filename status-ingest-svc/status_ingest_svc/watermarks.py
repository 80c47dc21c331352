"""Up to where dispatch results have been written, and up to where they have been read and committed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pulse.contracts.kafka import INGESTS, RESULTS
from pulse.runtime.kafka import METADATA_MS, connected
from pulse.runtime.kafka_cluster import Cluster

Offsets: TypeAlias = Mapping[TopicPartition, int]
LOOK_SECONDS = 0.05


class Watermarks:
    """Looks at all partitions, whoever of the group reads them.

    A replica that looked at its own alone would overlook those that a dead one has not given up yet.
    """

    def __init__(self, ends: AIOKafkaConsumer, admin: AIOKafkaAdminClient, partitions: int) -> None:
        self._ends = ends
        self._admin = admin
        self._partitions = [TopicPartition(RESULTS.name, number) for number in range(partitions)]

    async def written(self) -> Offsets:
        """The end of each partition as of now. Raises KafkaError."""
        ends: Offsets = await self._ends.end_offsets(self._partitions)
        return ends

    async def answers(self) -> bool:
        """Whether Kafka answers."""
        try:
            return bool(await self.written())
        except KafkaError:
            return False

    async def committed(self, ends: Offsets) -> None:
        """Returns when the group has committed all below `ends`. Raises KafkaError."""
        while True:
            reached = await self._admin.list_consumer_group_offsets(INGESTS, partitions=self._partitions)
            if all(end == 0 or (tp in reached and reached[tp].offset >= end) for tp, end in ends.items()):
                return
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def watermarks(cluster: Cluster, partitions: int) -> AsyncIterator[Watermarks]:
    """Has connections of its own: behind a consumer's long poll an answer would wait."""
    ends = cluster.consumer(request_timeout_ms=5_000, metadata_max_age_ms=METADATA_MS)
    admin = cluster.admin(request_timeout_ms=5_000)
    await connected(cluster, ends)
    try:
        await connected(cluster, admin)
        yield Watermarks(ends, admin, partitions)
    finally:
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(2):
                await ends.stop()
                await admin.close()
