"""dispatcher-svc: dispatch requests from Kafka, paced, to the devices' broker."""

import asyncio
from contextlib import AsyncExitStack

from dispatcher_svc.clients import control_asker, control_reader, mqtt_options, requests_consumer, started
from dispatcher_svc.control import Control
from dispatcher_svc.knowledge import Knowledge
from dispatcher_svc.membership import Membership
from dispatcher_svc.ownership import Ownership
from dispatcher_svc.publish import Publisher
from dispatcher_svc.queues import Partition
from dispatcher_svc.requests import Requests
from dispatcher_svc.results import Results
from dispatcher_svc.settings import DispatcherSettings
from dispatcher_svc.upkeep import keep_up
from pulse.contracts.kafka import CONTROL, QUARANTINE, REQUESTS, RESULTS, bucket_burst
from pulse.runtime.app import create_app, serve
from pulse.runtime.kafka import producer, require_topics


async def main(settings: DispatcherSettings, stop: asyncio.Event) -> None:
    """Until `stop`, and then until what is held has been given back. Raises StartRefused where a topic is missing."""
    await require_topics(settings.kafka_bootstrap, (REQUESTS, RESULTS, CONTROL, QUARANTINE))
    async with AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(producer(settings.kafka_bootstrap))
        reader = await stack.enter_async_context(started(control_reader(settings)))
        asker = await stack.enter_async_context(started(control_asker(settings)))
        consumer = await stack.enter_async_context(started(requests_consumer(settings)))
        cap = settings.partition_rate, bucket_burst(settings.partition_rate, settings.bucket_burst_seconds)

        partitions: dict[int, Partition] = {}
        knowledge = Knowledge(settings.freshness_max_ms / 1000)
        membership = Membership(settings.kafka_session_timeout_ms / 1000)
        results = Results(kafka)
        publisher = Publisher(
            mqtt_options(settings), settings.mqtt_command_topic, partitions, knowledge, membership, results
        )
        control = Control(reader, asker, kafka, knowledge, publisher, settings.freshness_ask_ms / 1000)
        requests = Requests(consumer, partitions, publisher, results, settings.held_max)
        ownership = Ownership(consumer, partitions, publisher, membership, lambda n, now: Partition(n, now, *cap))
        app = create_app(
            "dispatcher-svc",
            ready={"kafka": ownership.is_ready, "control": control.is_complete, "mqtt": publisher.is_connected},
        )
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(app, settings.http_host, settings.http_port, done), name="http")
            group.create_task(publisher.mqtt.run(done), name="mqtt")
            background = [
                group.create_task(results.run(), name="results"),
                group.create_task(control.read(), name="control-read"),
                group.create_task(control.ask(), name="control-ask"),
                group.create_task(keep_up(publisher, partitions, knowledge, membership), name="upkeep"),
            ]
            await _dispatch(requests, ownership, stop)
            done.set()
            for task in background:
                task.cancel()


async def _dispatch(requests: Requests, ownership: Ownership, stop: asyncio.Event) -> None:
    ownership.join()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(requests.read(), name="requests"),
            group.create_task(ownership.keep(), name="commits"),
        ]
        await stop.wait()
        for task in tasks:
            task.cancel()
    await ownership.give_up()
