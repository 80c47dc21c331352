"""Sees every command that the broker delivers, and when."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import mqtt5

from pulse.runtime.mqtt.packets import PacketReader
from tests.bench.raw_mqtt import connect_packet
from tests.real_parts import Broker

COMMANDS = "tenant/+/device/+/commands"
NAP_SECONDS = 0.01
_CAMPAIGN = re.compile(rb'"campaign_id":(\d+)')


class Watcher(asyncio.Protocol):
    """`seen` has the monotonic times of commands by campaign, `devices` whom each was for.

    It is behind by `late` seconds at most.
    """

    def __init__(self, greeting: bytes) -> None:
        self.seen: defaultdict[int, list[float]] = defaultdict(list)
        self.devices: defaultdict[int, list[str]] = defaultdict(list)
        self.late = 0.0
        self.subscribed = asyncio.Event()
        self._greeting = greeting
        self._reader = PacketReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._greeting)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        for packet in self._reader.feed(data):
            if isinstance(packet, mqtt5.PublishPacket):
                found = _CAMPAIGN.search(packet.payload)
                assert found is not None, packet.payload
                self.seen[int(found[1])].append(at)
                self.devices[int(found[1])].append(packet.topic.split("/")[3])
            elif isinstance(packet, mqtt5.ConnAckPacket):
                wanted = [mqtt5.TopicFilter(COMMANDS, max_qos=mqtt5.QoS.AT_MOST_ONCE)]
                self._transport.write(mqtt5.SubscribePacket(1, wanted).write())
            elif isinstance(packet, mqtt5.SubAckPacket):
                self.subscribed.set()

    async def watch_itself(self) -> None:
        """Notes how long the loop was held up, until cancelled."""
        while True:
            asleep = time.monotonic()
            await asyncio.sleep(NAP_SECONDS)
            self.late = max(self.late, time.monotonic() - asleep - NAP_SECONDS)


@asynccontextmanager
async def watching(broker: Broker) -> AsyncIterator[Watcher]:
    """All commands from now on."""
    watcher = Watcher(connect_packet("bench-watcher", broker.admin_user, broker.admin_password))
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: watcher, broker.host, broker.port)
    try:
        async with asyncio.TaskGroup() as group:
            itself = group.create_task(watcher.watch_itself())
            await watcher.subscribed.wait()
            yield watcher
            itself.cancel()
    finally:
        transport.close()
