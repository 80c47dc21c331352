"""An example device: takes updates from Pulse OTA by the rules of docs/devices.md. Needs Python 3.11 and aiomqtt."""

import argparse
import asyncio
import hashlib
import json
import random
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
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
        self.memory |= {"last": {}, "last_at": 0.0, "refusals": []}
        if options.state.exists():
            self.memory |= json.loads(options.state.read_text())
        self.to_send, self.to_do = asyncio.Event(), asyncio.Event()
        self.learned: tuple[datetime, float] | None = None  # a server's time, and when it said so

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

    def now(self) -> datetime:
        """The time by the best clock there is."""
        if self.learned is None:
            return datetime.now(UTC)
        return self.learned[0] + timedelta(seconds=time.monotonic() - self.learned[1])

    def is_possible(self, issued_at: str) -> bool:
        """Not more than a day ahead, and in the one form that compares as text: else it would stay for good."""
        try:
            issued = datetime.strptime(issued_at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        except ValueError:
            return False
        return len(issued_at) == 27 and issued_at.isascii() and issued - self.now() <= timedelta(days=1)

    async def received(self, payload: bytes) -> None:
        command = json.loads(payload)
        if command["type"] != "ota_update":
            return
        if command["issued_at"] <= self.memory["handled"]:  # a repeat, or older: only answered
            self.to_send.set()
            return
        if not self.is_possible(command["issued_at"]) or self.is_expired(command):  # or is it this clock that is wrong?
            self.learned = await asyncio.to_thread(server_time, command["firmware_url"]) or self.learned
        self.take(command)

    def take(self, command: Fields) -> None:
        at_hand = self.memory["at_hand"]
        if not self.is_possible(command["issued_at"]):
            self.refuse(command, "bad_time")
            return
        self.remember(handled=command["issued_at"], waiting=None)
        same = at_hand is not None and at_hand["campaign_id"] == command["campaign_id"]
        if at_hand is None or (same and self.is_over()):
            self.begin(command)
        elif same:  # a newer attempt: the same work goes on under its number
            self.remember(at_hand=command)
            self.say(self.memory["last"]["status"])
        elif self.is_expired(command):
            self.refuse(command, "expired")
        else:
            self.remember(waiting=command)

    def is_expired(self, command: Fields) -> bool:
        return datetime.fromisoformat(command["expires_at"]) <= self.now()

    def begin(self, command: Fields) -> None:
        if command["version"] == self.memory["version"]:
            self.remember(at_hand=command)
            self.say("SUCCESS", version=command["version"])
        elif self.is_expired(command):
            self.refuse(command, "expired")
        else:
            self.remember(at_hand=command)
            self.say("DOWNLOADING", progress=0)
            self.to_do.set()

    def refuse(self, command: Fields, code: str) -> None:
        """Fails under the command's own attempt, but never unsays what goes on or has ended under it."""
        names = {name: command[name] for name in ("campaign_id", "attempt")}
        at_hand, last = self.memory["at_hand"], self.memory["last"]
        at_work = at_hand is not None and at_hand["campaign_id"] == names["campaign_id"] and not self.is_over()
        if not at_work and names.items() - last.items():
            refusal = {**names, "status": "FAILED", "error_code": code, "error": f"it is {self.now()}"}
            self.remember(refusals=[*self.memory["refusals"], refusal][-8:])
        self.to_send.set()

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

    def to_say(self) -> Fields:
        """A refusal that nobody has heard yet, or else the present state."""
        last: Fields = self.memory["last"]
        if self.memory["refusals"]:
            refusal: Fields = self.memory["refusals"][0]
            return refusal
        recent = last and (self.memory["at_hand"] or time.time() - self.memory["last_at"] < 24 * 3600)
        return last if recent else {"version": self.memory["version"]}

    def heard(self, said: Fields) -> None:
        """Somebody has it. An update has ended when its outcome is delivered."""
        if said in self.memory["refusals"]:
            self.remember(refusals=[each for each in self.memory["refusals"] if each != said])
        elif said is self.memory["last"] and self.memory["at_hand"] and self.is_over():
            waiting = self.memory["waiting"]
            self.remember(at_hand=None, waiting=None)
            if waiting:
                self.begin(waiting)
        if self.memory["refusals"]:
            self.to_send.set()

    async def report(self, client: Client) -> None:
        """What there is to say, until somebody has heard it."""
        pause = 1.0
        while await self.to_send.wait():
            self.to_send.clear()
            said = self.to_say()
            await client.publish(f"{self.topic}/ota/status", json.dumps(said), qos=1)
            print("said:", json.dumps(said), "" if client.reason < 16 else f"(refused: {client.reason})", flush=True)
            if client.reason >= 16:  # 16: nobody was there to hear it; from 128 up: refused
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
                pause = min(pause * 2, 60)
                self.to_send.set()
            else:
                self.heard(said)

    async def receive(self, client: Client) -> None:
        async for message in client.messages:
            print("heard:", bytes(message.payload).decode(errors="replace"), flush=True)
            try:
                await self.received(bytes(message.payload))
            except (ValueError, TypeError, KeyError) as error:
                print("no command for this device:", repr(error))

    async def stay_connected(self) -> None:
        o = self.options
        login = {
            "username": self.topic.removeprefix("tenant/"),
            "password": o.password,
            "protocol": aiomqtt.ProtocolVersion.V5,
            "tls_context": trusting(o) if o.ca else None,
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


def trusting(options: argparse.Namespace) -> ssl.SSLContext:
    """TLS with a broker whose certificate `--ca` has signed; with `--cert` the device shows its own."""
    context = ssl.create_default_context(cafile=options.ca)
    if options.cert:
        context.load_cert_chain(options.cert, options.key)
    return context


def server_time(url: str) -> tuple[datetime, float] | None:
    """The time of the server that has the file, and when it said so. Better is SNTP, where the device has it."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=5) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except (OSError, ValueError):
        return None
    try:
        return parsedate_to_datetime(headers["Date"]), time.monotonic()
    except (TypeError, ValueError):
        return None


def download(command: Fields) -> bytes:
    """Raises OSError when the file cannot be fetched, ValueError when it is not the right one."""
    with urllib.request.urlopen(command["firmware_url"], timeout=30) as answer:
        firmware: bytes = answer.read(command["size"] + 1)
    if len(firmware) != command["size"] or hashlib.sha256(firmware).hexdigest() != command["checksum"]:
        raise ValueError("size or SHA-256 of the file is not that of the command")
    return firmware


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--tenant", "--device", "--version"):
        parser.add_argument(option, required=True)
    parser.add_argument("--password", help="not needed with --cert, where the broker takes certificates")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, help="1883, with --ca 8883; of the local stack: MQTT_PORT in .run/stack.env"
    )
    parser.add_argument("--ca", type=Path, help="TLS: the certificate of the authority that signed the broker's (PEM)")
    parser.add_argument("--cert", type=Path, help="the device's own certificate (PEM)")
    parser.add_argument("--key", type=Path, help="its key, if that is in another file")
    parser.add_argument("--state", type=Path, help="the device's memory; a temporary file when left out")
    options = parser.parse_args()
    if options.cert and not options.ca:
        parser.error("--cert needs --ca")
    options.port = options.port or (8883 if options.ca else 1883)
    options.state = options.state or Path(tempfile.gettempdir(), f"pulse-{options.tenant}-{options.device}.json")
    device = Device(options)
    print(f"{options.device} runs {device.memory['version']}; its memory is {options.state}", flush=True)
    await asyncio.gather(device.stay_connected(), device.work())


if __name__ == "__main__":
    asyncio.run(main())
