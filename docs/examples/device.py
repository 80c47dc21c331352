"""An example device: takes updates from Pulse OTA by the rules of docs/devices.md. Needs Python 3.11 and aiomqtt."""

import argparse
import asyncio
import hashlib
import json
import random
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt

Fields = dict[str, Any]


class Client(aiomqtt.Client):
    """aiomqtt 2.5 forgets the reason code of a PUBACK; this keeps the last one."""

    reason = 0

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        self.reason = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)


class Device:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.topic = options, f"tenant/{options.tenant}/device/{options.device}"
        self.memory: Fields = {"version": options.version, "handled": "", "at_hand": None, "waiting": None}
        self.memory |= {"last": {}, "last_at": 0.0}
        if options.state.exists():
            self.memory |= json.loads(options.state.read_text())
        self.to_send, self.to_do = asyncio.Event(), asyncio.Event()

    def remember(self, **changes: Any) -> None:
        """In one step, and before anything is done about it: the memory must survive a power cut."""
        self.memory |= changes
        self.options.state.with_suffix(".new").write_text(json.dumps(self.memory))
        self.options.state.with_suffix(".new").replace(self.options.state)

    def say(self, status: str, **more: Any) -> None:
        """A new state of the update at hand, under its attempt."""
        names = {name: self.memory["at_hand"][name] for name in ("campaign_id", "attempt")}
        self.remember(last={**names, "status": status, **more}, last_at=time.time())
        self.to_send.set()

    def is_over(self) -> bool:
        return self.memory["last"].get("status") in ("SUCCESS", "FAILED")

    def received(self, payload: bytes) -> None:
        command, at_hand = json.loads(payload), self.memory["at_hand"]
        if command["issued_at"] <= self.memory["handled"]:  # a repeat, or older: only answered
            self.to_send.set()
            return
        self.remember(handled=command["issued_at"], waiting=None)
        same = at_hand is not None and at_hand["campaign_id"] == command["campaign_id"]
        if at_hand is None or (same and self.is_over()):
            self.begin(command)
        elif same:  # a newer attempt: the same work goes on under its number
            self.remember(at_hand=command)
            self.say(self.memory["last"]["status"])
        else:
            self.remember(waiting=command)

    def begin(self, command: Fields) -> None:
        if datetime.fromisoformat(command["expires_at"]) <= datetime.now(UTC):
            self.to_send.set()
            return
        self.remember(at_hand=command)
        if command["version"] == self.memory["version"]:
            self.say("SUCCESS", version=command["version"])
            return
        self.say("DOWNLOADING", progress=0)
        self.to_do.set()

    async def work(self) -> None:
        if self.memory["at_hand"] and not self.is_over():  # a restart has interrupted it: once more
            self.to_do.set()
        while await self.to_do.wait():
            self.to_do.clear()
            command = self.memory["at_hand"]
            try:
                firmware = await asyncio.to_thread(download, command)
                self.say("INSTALLING")
                self.options.state.with_suffix(".firmware").write_bytes(firmware)  # yours flashes and restarts here
                self.remember(version=command["version"])
                self.say("SUCCESS", version=command["version"])
            except (OSError, ValueError) as error:
                self.say("FAILED", error_code="download_failed", error=str(error))

    async def report(self, client: Client) -> None:
        """The present state, until somebody has heard it. An update has ended when its outcome is delivered."""
        pause = 1.0
        while await self.to_send.wait():
            self.to_send.clear()
            last = self.memory["last"]
            recent = last and (self.memory["at_hand"] or time.time() - self.memory["last_at"] < 24 * 3600)
            said = last if recent else {"version": self.memory["version"]}
            await client.publish(f"{self.topic}/ota/status", json.dumps(said), qos=1)
            print("said:", json.dumps(said), "" if client.reason < 16 else f"(refused: {client.reason})", flush=True)
            if client.reason >= 16:  # 16: nobody was there to hear it; from 128 up: refused
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
                pause = min(pause * 2, 60)
                self.to_send.set()
            elif said is self.memory["last"] and self.memory["at_hand"] and self.is_over():
                waiting = self.memory["waiting"]
                self.remember(at_hand=None, waiting=None)
                if waiting:
                    self.begin(waiting)

    async def receive(self, client: Client) -> None:
        async for message in client.messages:
            print("heard:", bytes(message.payload).decode(errors="replace"), flush=True)
            try:
                self.received(bytes(message.payload))
            except (ValueError, TypeError, KeyError) as error:
                print("no command for this device:", repr(error))

    async def stay_connected(self) -> None:
        o = self.options
        login = {
            "username": self.topic.removeprefix("tenant/"),
            "password": o.password,
            "protocol": aiomqtt.ProtocolVersion.V5,
        }
        while True:
            try:  # a clean start, and no Session Expiry: the broker keeps nothing while the device is away
                async with Client(o.host, o.port, identifier=self.topic, clean_start=True, **login) as client:
                    await client.subscribe(f"{self.topic}/commands", qos=1)
                    self.to_send.set()
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self.receive(client))
                        group.create_task(self.report(client))
            except* aiomqtt.MqttError as lost:
                print("no connection:", *lost.exceptions)
            await asyncio.sleep(random.uniform(0.5, 5))


def download(command: Fields) -> bytes:
    """Raises OSError when the file cannot be fetched, ValueError when it is not the right one."""
    with urllib.request.urlopen(command["firmware_url"], timeout=30) as answer:
        firmware: bytes = answer.read(command["size"] + 1)
    if len(firmware) != command["size"] or hashlib.sha256(firmware).hexdigest() != command["checksum"]:
        raise ValueError("size or SHA-256 of the file is not that of the command")
    return firmware


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--tenant", "--device", "--password", "--version"):
        parser.add_argument(option, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--state", type=Path, help="the device's memory; a temporary file when left out")
    options = parser.parse_args()
    options.state = options.state or Path(tempfile.gettempdir(), f"pulse-{options.tenant}-{options.device}.json")
    device = Device(options)
    print(f"{options.device} runs {device.memory['version']}; its memory is {options.state}", flush=True)
    await asyncio.gather(device.stay_connected(), device.work())


if __name__ == "__main__":
    asyncio.run(main())
