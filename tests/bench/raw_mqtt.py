"""The fastest MQTT client known, and a subscriber that only counts bytes: the limits that services are held against.

`python -m tests.bench.raw_mqtt` publishes in a process of its own, as a service does; see `publish_rate`.
"""

import asyncio
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import mqtt5
import uvloop

from local_stack.child import run
from pulse.contracts.mqtt import COMMAND_TEMPLATE, command_topic, report_topic
from pulse.runtime.mqtt.packets import PacketReader
from tests.real_parts import Broker

EXPIRY = 3_600


class Publisher(asyncio.Protocol):
    """Writes `packets` with QoS 1, at most `window` of them unanswered, and notes when the last was answered."""

    def __init__(self, packets: Iterator[tuple[str, bytes]], window: int, greeting: bytes) -> None:
        self._packets = packets
        self._window = window
        self._greeting = greeting
        self._reader = PacketReader()
        self._next_id = 0
        self._open = 0
        self.began = 0.0
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._greeting)

    def data_received(self, data: bytes) -> None:
        for packet in self._reader.feed(data):
            if isinstance(packet, mqtt5.PubAckPacket):
                self._open -= 1
            elif isinstance(packet, mqtt5.ConnAckPacket):
                assert packet.reason_code == 0, packet
                self.began = time.perf_counter()
        self._fill()

    def _fill(self) -> None:
        written = []
        for topic, payload in self._packets:
            self._next_id = self._next_id % 65_535 + 1
            packet = mqtt5.PublishPacket(
                topic,
                payload,
                qos=mqtt5.QoS.AT_LEAST_ONCE,
                packet_id=self._next_id,
                message_expiry_interval=EXPIRY,
            )
            written.append(packet.write())
            self._open += 1
            if self._open == self._window:
                break
        self._transport.write(b"".join(written))
        if self._open == 0 and not self.done.done():
            self.done.set_result(time.perf_counter() - self.began)


async def publish(broker: Broker, kind: str, payloads: list[str], devices: int, window: int = 500) -> float:
    """Publishes each of `payloads` for so many devices, in order, from a process of its own; messages per second.

    `kind` is `commands` or `reports`; {device} in a payload is replaced. The devices are those of `device_name`.
    """
    asked = {
        "port": broker.port,
        "user": broker.admin_user,
        "password": broker.admin_password,
        "kind": kind,
        "payloads": payloads,
        "devices": devices,
        "window": window,
    }
    told = await run(sys.executable, "-m", "tests.bench.raw_mqtt", env={"RAW_MQTT": json.dumps(asked)}, timeout=300)
    return float(told.split()[-1])


def device_name(number: int) -> str:
    return f"d{number:07}"


def device_order(devices: int) -> list[int]:
    """Every number below `devices` once, scattered: neighbours in time are none in the tables."""
    step = next(s for s in range(int(devices * 0.618) | 1, devices * 2, 2) if _coprime(s, devices))
    return [n * step % devices for n in range(devices)]


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


async def _main() -> None:
    asked = json.loads(os.environ["RAW_MQTT"])
    names = [device_name(number) for number in device_order(asked["devices"])]

    def packets() -> Iterator[tuple[str, bytes]]:
        for payload in asked["payloads"]:
            for name in names:
                yield (
                    command_topic("acme", name, COMMAND_TEMPLATE)
                    if asked["kind"] == "commands"
                    else report_topic("acme", name),
                    payload.replace("{device}", name).encode(),
                )

    greeting = connect_packet("bench-publisher", asked["user"], asked["password"])
    publisher = Publisher(packets(), asked["window"], greeting)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: publisher, "127.0.0.1", asked["port"])
    seconds = await publisher.done
    transport.close()
    print(asked["devices"] * len(asked["payloads"]) / seconds)


def connect_packet(client_id: str, user: str, password: str) -> bytes:
    return mqtt5.ConnectPacket(client_id, username=user, password=password.encode(), keep_alive=600).write()


@contextmanager
def listening(broker: Broker, topic_filter: str) -> Iterator[None]:
    """Somebody subscribes (QoS 0), reads what comes and looks at nothing of it: no work beside the broker's own."""
    with socket.create_connection((broker.host, broker.port), timeout=10) as connection:
        connection.sendall(connect_packet("bench-listener", broker.admin_user, broker.admin_password))
        connection.recv(4096)
        wanted = [mqtt5.TopicFilter(topic_filter, max_qos=mqtt5.QoS.AT_MOST_ONCE)]
        connection.sendall(mqtt5.SubscribePacket(1, wanted).write())
        connection.recv(4096)
        connection.settimeout(None)
        thread = threading.Thread(target=_drain, args=(connection,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _drain(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass


if __name__ == "__main__":
    uvloop.run(_main())
