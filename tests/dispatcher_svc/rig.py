"""The dispatcher as a process of its own between a real Kafka and a real Mosquitto, and what a test sees of it.

Commands are seen twice: where a subscriber receives them, and at the dispatcher's own socket, with the moments between
which each was written. Only these are held against a promise: how late a subscriber is, is the machine's affair.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from local_stack.ports import free_ports
from pulse.contracts.kafka import (
    CONTROL,
    QUARANTINE,
    REQUESTS,
    RESULTS,
    DispatchRequest,
    DispatchResult,
    Quarantined,
    Topic,
    decoder,
    encode,
)
from pulse.contracts.kafka import CampaignControl as Control
from tests.chaos import tap
from tests.chaos.history import Written
from tests.chaos.proxy import Awake, Link
from tests.real_parts import Broker, Topics

GROUP = "pulse-dispatcher"
campaigns = count(int(time.time()))
"""Campaign ids that no other test has used."""


@dataclass(frozen=True)
class Seen:
    """A command as it reached the broker's subscriber; `at` on the monotonic clock."""

    at: float
    device: str
    payload: bytes
    expiry: int | None
    properties: tuple[tuple[str, str], ...]


class Dispatcher:
    """One process of dispatcher-svc."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=2)

    async def is_ready(self) -> bool:
        return await self._says_ok("/readyz")

    async def is_alive(self) -> bool:
        return await self._says_ok("/healthz")

    async def _says_ok(self, path: str) -> bool:
        try:
            return (await self.get(path)).status_code == httpx.codes.OK
        except httpx.TransportError:
            assert self.process.returncode is None, self.log.read_text()[-3000:]
            return False

    async def get(self, path: str) -> httpx.Response:
        return await self._http.get(path)

    async def metric(self, line: str) -> float:
        """The value of a series, written as `/metrics` shows it."""
        text = (await self.get("/metrics")).text
        return float(next(found for found in text.splitlines() if found.startswith(line + " ")).split()[-1])

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log with that event."""
        lines = [msgspec.json.decode(line) for line in self.log.read_bytes().splitlines()]
        return [line for line in lines if line["event"] == event]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end; the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(15):
            return await self.process.wait()

    async def close(self) -> None:
        """Ends it so that the group has its partitions back at once."""
        await self.end(signal.SIGTERM)
        await self._http.aclose()


@dataclass
class Rig:
    """What a test does and sees."""

    topics: Topics
    broker: Broker
    folder: Path
    kafka: AIOKafkaProducer
    serve: Callable[[Link], object]
    """Has a proxy serve until the test's end."""
    awake: Awake = field(default_factory=Awake)
    written: list[Written] = field(default_factory=list)
    commands: list[Seen] = field(default_factory=list)
    results: list[DispatchResult] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    dispatchers: list[Dispatcher] = field(default_factory=list)

    # What campaign-svc would do

    async def announce(self, *controls: Control) -> float:
        """Sends control records; the monotonic time of Kafka's last acknowledgement."""
        for control in controls:
            await self.kafka.send_and_wait(CONTROL.name, encode(control), key=control.key.encode())
        return time.monotonic()

    async def ask(self, *requests: DispatchRequest, partition: int = 1, trace: str | None = None) -> None:
        headers = [("traceparent", trace.encode())] if trace else None
        sent = [
            await self.kafka.send(REQUESTS.name, encode(r), key=r.key.encode(), partition=partition, headers=headers)
            for r in requests
        ]
        await asyncio.gather(*sent)

    async def send_raw(self, topic: Topic, payload: bytes, partition: int = 0) -> str:
        """Sends bytes as they are; the source by which they would be quarantined."""
        sent = await self.kafka.send_and_wait(topic.name, payload, key=b"raw", partition=partition)
        return f"{topic.name}/{partition}/{sent.offset}"

    # The process

    async def launch(self, **settings: str) -> Dispatcher:
        """Starts a dispatcher and does not wait for it."""
        name = f"{len(self.dispatchers)}"
        [port, broker_port] = free_ports(2)
        tapped = tap.commands(name, self.written.append)
        self.serve(Link(f"dispatcher {name}", broker_port, self.broker.port, self.awake, tapped))
        log = self.folder / f"dispatcher-{name}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "HTTP_PORT": str(port),
            "KAFKA_BOOTSTRAP": self.topics.bootstrap,
            "MQTT_HOST": self.broker.host,
            "MQTT_PORT": str(broker_port),
            "MQTT_USER": "svc-dispatcher",
            "MQTT_PASSWORD_FILE": str(self.broker.password_file("svc-dispatcher")),
            **settings,
        }
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "dispatcher_svc", stdout=out, stderr=out, env=environment
            )
        dispatcher = Dispatcher(process, int(environment["HTTP_PORT"]), log)
        self.dispatchers.append(dispatcher)
        return dispatcher

    async def start(self, **settings: str) -> Dispatcher:
        """Starts a dispatcher; returns when it is ready."""
        dispatcher = await self.launch(**settings)
        await until(dispatcher.is_ready, 40)
        return dispatcher

    async def launch_in_place_of(self, killed: Dispatcher, **settings: str) -> Dispatcher:
        """What a supervisor does: the same again, on the same host and port."""
        return await self.launch(HTTP_PORT=str(killed.port), **settings)

    async def start_in_place_of(self, killed: Dispatcher, **settings: str) -> Dispatcher:
        dispatcher = await self.launch_in_place_of(killed, **settings)
        await until(dispatcher.is_ready, 40)
        return dispatcher

    # What can be seen

    def commands_of(self, campaign: int) -> list[Seen]:
        """In the order in which a subscriber received them."""
        mark = b'"campaign_id":%d,' % campaign
        return [c for c in self.commands if mark in c.payload]

    def written_of(self, *campaigns: int) -> list[Written]:
        """In the order in which the dispatchers wrote them."""
        marks = [f'"campaign_id":{campaign},' for campaign in campaigns]
        return [line for line in self.written if any(mark in line.payload for mark in marks)]

    def results_of(self, campaign: int) -> list[DispatchResult]:
        return [r for r in self.results if r.campaign_id == campaign]

    def outcomes(self, campaign: int) -> dict[str, str]:
        """The last outcome of each device."""
        return {r.device_id: r.outcome.value for r in self.results_of(campaign)}

    async def settled(self, campaign: int, devices: int, seconds: float = 45) -> dict[str, str]:
        """Waits until each of so many devices has a result."""
        await until(lambda: len(self.outcomes(campaign)) >= devices, seconds)
        return self.outcomes(campaign)

    async def lag(self) -> int:
        """Requests of the topic above what the group has committed."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.topics.bootstrap)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.topics.bootstrap)
        await admin.start()
        await consumer.start()
        try:
            every = [TopicPartition(REQUESTS.name, n) for n in range(REQUESTS.partitions)]
            ends = await consumer.end_offsets(every)
            committed = await admin.list_consumer_group_offsets(GROUP)
            return sum(end - committed[tp].offset for tp, end in ends.items() if tp in committed)
        finally:
            await consumer.stop()
            await admin.close()

    async def nothing_is_open(self) -> bool:
        """Whether all requests have been settled and their offsets committed."""
        return await self.lag() == 0


@asynccontextmanager
async def rig(topics: Topics, broker: Broker, folder: Path) -> AsyncIterator[Rig]:
    """Observers of commands, results and quarantine from now on; ends the processes that the test has started."""
    producer = AIOKafkaProducer(bootstrap_servers=topics.bootstrap, acks="all", linger_ms=2)
    await producer.start()
    reading = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []

            def serve(link: Link) -> None:
                tasks.append(group.create_task(link.run(), name=link.name))

            made = Rig(topics, broker, folder, producer, serve)
            tasks += [
                group.create_task(_watch_commands(made)),
                group.create_task(_watch_kafka(made, reading)),
                group.create_task(made.awake.keep()),
            ]
            try:
                await reading.wait()
                yield made
            finally:
                for dispatcher in made.dispatchers:
                    await dispatcher.close()
                for task in tasks:
                    task.cancel()
    finally:
        await producer.stop()


async def _watch_commands(made: Rig) -> None:
    while True:
        try:
            async with aiomqtt.Client(
                made.broker.host,
                made.broker.port,
                username=made.broker.admin_user,
                password=made.broker.admin_password,
                protocol=aiomqtt.ProtocolVersion.V5,
            ) as client:
                await client.subscribe("tenant/acme/device/+/commands", qos=1)
                async for message in client.messages:
                    made.commands.append(_seen(message))
        except aiomqtt.MqttError:
            await asyncio.sleep(0.05)


def _seen(message: aiomqtt.Message) -> Seen:
    assert isinstance(message.payload, bytes)
    properties = message.properties
    return Seen(
        at=time.monotonic(),
        device=str(message.topic).split("/")[3],
        payload=message.payload,
        expiry=getattr(properties, "MessageExpiryInterval", None),
        properties=tuple(getattr(properties, "UserProperty", ())),
    )


async def _watch_kafka(made: Rig, reading: asyncio.Event) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=made.topics.bootstrap, fetch_max_wait_ms=50)
    await consumer.start()
    result, quarantine = decoder(DispatchResult).decode, decoder(Quarantined).decode
    try:
        parts = [TopicPartition(t.name, n) for t in (RESULTS, QUARANTINE) for n in range(t.partitions)]
        consumer.assign(parts)
        await consumer.seek_to_end(*parts)
        reading.set()
        async for record in consumer:
            if record.topic == RESULTS.name:
                made.results.append(result(record.value))
            else:
                made.quarantined.append(quarantine(record.value))
    finally:
        await consumer.stop()


async def until(condition: Callable[[], object], seconds: float) -> None:
    """Waits for a condition (plain or awaitable). Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


def fields(payload: bytes) -> dict[str, object]:
    found = msgspec.json.decode(payload)
    assert isinstance(found, dict)
    return found
