"""The process's clients of Kafka and MQTT, each with the settings that its duty needs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from dispatcher_svc.settings import DispatcherSettings
from pulse.runtime.kafka import METADATA_MS, connected, producer
from pulse.runtime.kafka_cluster import Cluster
from pulse.runtime.mqtt import MqttOptions

REBALANCE_MS, JOIN_MS = 8_000, 10_000
"""How long the group waits for a member that still gives up its partitions (which takes 5 s at most), and how long a
request may take: joining waits for the others. A connection that has died in silence is noticed after JOIN_MS."""
POLL_MS = 50
"""Of a fetch while requests come; see `Polls`."""
STOP_SECONDS = 0.5


def requests_consumer(settings: DispatcherSettings) -> AIOKafkaConsumer:
    """A member of the group; offsets are committed by hand."""
    return settings.kafka.consumer(
        client_id=settings.member.name,
        group_id=settings.member.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=settings.kafka_heartbeat_ms,
        rebalance_timeout_ms=REBALANCE_MS,
        request_timeout_ms=JOIN_MS,
        fetch_max_wait_ms=POLL_MS,
        metadata_max_age_ms=METADATA_MS,
    )


def control_reader(settings: DispatcherSettings) -> AIOKafkaConsumer:
    """Reads the control topic from its beginning, in no group. With one partition a long poll holds up nobody."""
    return settings.kafka.consumer(
        fetch_max_wait_ms=1_000,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=2_000,
        metadata_max_age_ms=METADATA_MS,
    )


def control_asker(settings: DispatcherSettings) -> AIOKafkaConsumer:
    """Asks for the control topic's end; never fetches, so that no answer waits for a long poll."""
    return settings.kafka.consumer(
        enable_auto_commit=False,
        request_timeout_ms=1_000,
        metadata_max_age_ms=METADATA_MS,
    )


class Clients(NamedTuple):
    """All that talk to Kafka, started."""

    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    asker: AIOKafkaConsumer
    consumer: AIOKafkaConsumer


@asynccontextmanager
async def clients(settings: DispatcherSettings) -> AsyncIterator[Clients]:
    """Starts the clients, once the cluster answers; in the end flushes results."""
    async with (
        _started(settings.kafka, requests_consumer(settings)) as consumer,
        _started(settings.kafka, control_reader(settings)) as reader,
        _started(settings.kafka, control_asker(settings)) as asker,
        producer(settings.kafka) as kafka,
    ):
        yield Clients(kafka, reader, asker, consumer)


@asynccontextmanager
async def _started(cluster: Cluster, consumer: AIOKafkaConsumer) -> AsyncIterator[AIOKafkaConsumer]:
    await connected(cluster, consumer)
    try:
        yield consumer
    finally:
        with suppress(KafkaError, TimeoutError):  # the process ends: its sockets close, the group finds out by itself
            async with asyncio.timeout(STOP_SECONDS):
                await consumer.stop()


def mqtt_options(settings: DispatcherSettings) -> MqttOptions:
    """A session that the broker forgets with the connection, under a name that no other process has."""
    return MqttOptions(
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        client_id=f"pulse-dispatcher-{uuid4().hex}",
        username=settings.mqtt_user,
        password=settings.mqtt_password,
        tls=settings.mqtt_tls,
        clean_start=True,
        session_expiry=0,
        window=settings.mqtt_window,
    )
