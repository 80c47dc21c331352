"""dispatcher-svc: dispatch requests from Kafka, paced, to the devices' broker."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from dispatcher_svc.clients import Clients, clients, mqtt_options
from dispatcher_svc.control import Control
from dispatcher_svc.intake import Intake
from dispatcher_svc.judge import Judge
from dispatcher_svc.knowledge import Knowledge
from dispatcher_svc.membership import Membership
from dispatcher_svc.ownership import Ownership
from dispatcher_svc.partition import Partition
from dispatcher_svc.publish import Publisher
from dispatcher_svc.requests import Requests
from dispatcher_svc.results import Results
from dispatcher_svc.settings import DispatcherSettings
from dispatcher_svc.upkeep import keep_up
from pulse.contracts.kafka import CONTROL, QUARANTINE, REQUESTS, RESULTS
from pulse.runtime import predecessor, waiting
from pulse.runtime.app import create_app, serve
from pulse.runtime.kafka import topics_once_there
from pulse.runtime.kafka_probe import with_reason

TITLE = "Pulse OTA: dispatcher"


async def main(settings: DispatcherSettings, stop: asyncio.Event) -> None:
    """Until `stop`, and then until what is held has been given back. Raises StartRefused where a topic is missing."""
    async with AsyncExitStack() as stack:
        kafka = await waiting.for_kafka(TITLE, settings, stop, _connected(settings, stack))
        if kafka is not None:
            await _dispatch(settings, kafka, stop)


async def _connected(settings: DispatcherSettings, stack: AsyncExitStack) -> Clients:
    await topics_once_there(settings.kafka, (REQUESTS, RESULTS, CONTROL, QUARANTINE))
    return await stack.enter_async_context(clients(settings))


async def _dispatch(settings: DispatcherSettings, kafka: Clients, stop: asyncio.Event) -> None:
    partitions: dict[int, Partition] = {}
    knowledge = Knowledge(settings.freshness_max_ms / 1000)
    membership = Membership(settings.kafka_session_timeout_ms / 1000)
    results = Results(kafka.producer)
    judge = Judge(knowledge)
    publisher = Publisher(
        mqtt_options(settings), settings.mqtt_command_topic, partitions, judge, knowledge, membership, results
    )
    intake = Intake(partitions, judge, results, publisher.soon)
    control = Control(kafka, knowledge, intake, publisher.soon, settings.freshness_ask_ms / 1000)
    requests = Requests(kafka.consumer, partitions, intake, results, settings.held_max)
    make = partial(Partition, cap_rate=settings.partition_rate, cap_burst=settings.partition_burst)
    ownership = Ownership(kafka.consumer, partitions, intake, membership, publisher.soon, make)
    kafka_answers = with_reason(settings.kafka, ownership.is_ready)
    ready = {"kafka": kafka_answers, "control": control.is_complete, "mqtt": publisher.is_connected}
    app = create_app(TITLE, ready=ready)
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, settings.http_host, settings.http_port, done), name="http")
        group.create_task(publisher.mqtt.run(done), name="mqtt")
        background = [
            group.create_task(results.run(), name="results"),
            group.create_task(control.read(), name="control-read"),
            group.create_task(control.ask(), name="control-ask"),
            group.create_task(keep_up(intake, partitions, knowledge, membership), name="upkeep"),
        ]
        if await predecessor.has_gone(settings.member, stop):
            await ownership.run(requests.read(), stop)
        done.set()
        for task in background:
            task.cancel()
