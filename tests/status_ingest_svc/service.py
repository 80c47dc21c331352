"""status-ingest-svc as a real process, devices that talk to it, and Kafka as others see it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from local_stack import child
from local_stack.child import Child, Part
from local_stack.ports import HOST, free_ports
from pulse.contracts.kafka import DEVICE_STATUS, QUARANTINE, RESULTS, Topic
from pulse.contracts.mqtt import report_topic
from tests.real_parts import Broker, Database
from tests.status_ingest_svc.world import TENANT

SECRET_GROUP = "nobody-knows"
"""Replicas' group at the broker, in the test where it has not its usual name."""


async def eventually(what: Callable[[], Awaitable[object]], seconds: float = 45) -> None:
    """Returns when `what` holds. Fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await what():
            await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Replica:
    """One running process."""

    child: Child
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.pid

    async def stop(self) -> None:
        """SIGTERM. Fails when the process does not end well, and within ten seconds."""
        self.child.signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            code = await self.child.wait()
        assert code == 0, self.child.obituary()

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log's entries of an event."""
        lines = self.child.log.read_text().splitlines()
        return [entry for line in lines if line.startswith("{") and (entry := json.loads(line))["event"] == event]

    async def is_alive(self) -> bool:
        return await _says_ok(f"{self.url}/healthz")

    async def metric(self, name: str) -> float:
        """The sum of a series over all its labels."""
        async with httpx.AsyncClient() as http:
            lines = (await http.get(f"{self.url}/metrics")).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@dataclass(frozen=True, slots=True)
class Service:
    """Starts replicas against the real parts."""

    database: Database
    kafka: str
    broker: Broker
    logs: Path
    replicas: list["Replica"]

    async def start(self, **settings: str) -> Replica:
        """Returns when the replica is ready."""
        replica = await self.launch(**settings)
        await replica.child.until_ready()
        return replica

    async def launch_in_place_of(self, killed: Replica, **settings: str) -> Replica:
        """What a supervisor does: the same again, on the same host and port."""
        return await self.launch(HTTP_PORT=str(killed.port), **settings)

    async def launch(self, **settings: str) -> Replica:
        port = int(settings.get("HTTP_PORT") or free_ports(1)[0])
        environment = {
            "HTTP_PORT": str(port),
            "POSTGRES_DSN": self.database.dsn_of("status_ingest_svc"),
            "KAFKA_BOOTSTRAP": self.kafka,
            "MQTT_HOST": self.broker.host,
            "MQTT_PORT": str(self.broker.port),
            "MQTT_USER": "svc-ingest",
            "MQTT_PASSWORD_FILE": str(self.broker.password_file("svc-ingest")),
            "INGEST_LEASE_SECONDS": "3",
            "CAUGHT_UP_SECONDS": "0.2",
        }
        part = Part(
            "status-ingest-svc",
            (sys.executable, "-m", "status_ingest_svc"),
            lambda: _says_ok(f"http://{HOST}:{port}/readyz"),
            environment | settings,
        )
        replica = Replica(await child.start(part, self.logs / f"ingest-{port}.log"), port)
        self.replicas.append(replica)
        return replica

    @asynccontextmanager
    async def running(self, **settings: str) -> AsyncIterator[Replica]:
        """One replica, stopped cleanly at the end."""
        replica = await self.start(**settings)
        try:
            yield replica
        finally:
            await replica.stop()


async def _says_ok(url: str) -> bool:
    try:
        async with httpx.AsyncClient() as http:
            return (await http.get(url, timeout=5)).status_code == 200
    except httpx.TransportError:
        return False


@dataclass(frozen=True, slots=True)
class Devices:
    """Speaks for any device, as the broker's admin."""

    mqtt: aiomqtt.Client

    async def say(self, device: str, tenant: str = TENANT, **report: object) -> None:
        await self.say_raw(device, json.dumps(report).encode(), tenant)

    async def say_raw(self, device: str, payload: bytes, tenant: str = TENANT) -> None:
        await self.mqtt.publish(report_topic(tenant, device), payload, qos=1)


@asynccontextmanager
async def devices(broker: Broker) -> AsyncIterator[Devices]:
    async with aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.admin_user,
        password=broker.admin_password,
        protocol=aiomqtt.ProtocolVersion.V5,
        max_inflight_messages=1_000,
    ) as client:
        yield Devices(client)


async def send_results(kafka: str, *payloads: bytes, partition: int | None = None) -> list[str]:
    """The sources by which they would be quarantined."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        sent = [await producer.send(RESULTS.name, payload, partition=partition) for payload in payloads]
        return [f"{RESULTS.name}/{at.partition}/{at.offset}" for at in await asyncio.gather(*sent)]
    finally:
        await producer.stop()


async def records(kafka: str, topic: Topic) -> list[dict[str, Any]]:
    """All that the topic holds."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions)
        found: list[dict[str, Any]] = []
        for partition in partitions:
            consumer.seek(partition, starts[partition])
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for some in (await consumer.getmany(timeout_ms=200)).values():
                found += [json.loads(record.value) for record in some]
        return found
    finally:
        await consumer.stop()


async def quarantined(kafka: str, device: str) -> list[str]:
    """The reasons of what a device sent and nobody could take."""
    source = f"mqtt:{report_topic(TENANT, device)}"
    return [record["reason"] for record in await records(kafka, QUARANTINE) if record["source"] == source]


async def transitions(kafka: str, device: str) -> list[tuple[str, str]]:
    """The changes of a device's status that were announced, in order."""
    return [(r["from"], r["to"]) for r in await records(kafka, DEVICE_STATUS) if r["device_id"] == device]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that is there and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def end_sessions(broker: Broker) -> None:
    """Ends what earlier tests left at the broker."""
    for group, ordinal in product(("pulse-ingest", SECRET_GROUP), range(4)):
        async with aiomqtt.Client(
            broker.host,
            broker.port,
            identifier=f"{group}-{ordinal}",
            username="svc-ingest",
            password=broker.password("svc-ingest"),
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
        ):
            pass
