"""What a stack holds at one moment: memory and file handles of its processes, Kafka's lag, sizes in the database."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from pulse.contracts.kafka import DISPATCHERS, INGESTS, REQUESTS, RESULTS, Topic
from pulse.contracts.status import Status

GROUPS: Mapping[str, Topic] = {DISPATCHERS: REQUESTS, INGESTS: RESULTS}
_SIZES = """
SELECT pg_table_size('ota_device_status') AS table_bytes, pg_indexes_size('ota_device_status') AS index_bytes,
       pg_database_size(current_database()) AS database_bytes,
       (SELECT coalesce(sum(n), 0)::bigint FROM ota_campaign_counters
         WHERE counter = ANY($1::text[])) AS rows
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` in monotonic seconds; `memory` in bytes and `handles` by process; `lag` in messages by consumer group."""

    at: float
    memory: Mapping[str, int]
    handles: Mapping[str, int]
    lag: Mapping[str, int]
    table_bytes: int
    index_bytes: int
    database_bytes: int
    rows: int


def memory(pid: int) -> int:
    """What a process holds in memory, in bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def handles(pid: int) -> int:
    """How many files and sockets a process has open; 0 when it is gone."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


class Lags:
    """How far consumer groups are behind."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)

    async def start(self) -> None:
        await self._admin.start()
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def now(self) -> dict[str, int]:
        return {group: await self._of(group, topic) for group, topic in GROUPS.items()}

    async def _of(self, group: str, topic: Topic) -> int:
        partitions = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
        ends = await self._consumer.end_offsets(partitions)
        done = await self._admin.list_consumer_group_offsets(group)
        return sum(end - max(0, done[tp].offset) for tp, end in ends.items() if tp in done)


async def take(pids: Mapping[str, int], lags: Lags, database: asyncpg.Pool) -> Sample:
    """One sample. Raises the database's and Kafka's errors."""
    sizes = await database.fetchrow(_SIZES, list(Status))
    assert sizes is not None
    return Sample(
        at=time.monotonic(),
        memory={name: memory(pid) for name, pid in pids.items()},
        handles={name: handles(pid) for name, pid in pids.items()},
        lag=await lags.now(),
        table_bytes=sizes["table_bytes"],
        index_bytes=sizes["index_bytes"],
        database_bytes=sizes["database_bytes"],
        rows=sizes["rows"],
    )
