"""A tenant with simulated devices in a container, and a campaign for all of them, over REST through the gateway."""

import hashlib
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fleetsim.device import Memory
from fleetsim.journal import Journal
from tests.containers.engine import say
from tests.containers.stack import Stack, until

Json = dict[str, Any]
TENANT, GROUP, DEVICE_TYPE = "containers", "all", "gw2"
OLD, NEW = "1.0.0", "2.0.0"
FIRMWARE_BYTES = 200_000
CONNECT_SECONDS = 120


def operator(stack: Stack, tenant: str = TENANT) -> httpx.Client:
    """A client of the API with a token from the stack's own sign-in."""
    asked = {"tenant": tenant, "role": "operator"}
    answer = httpx.post(f"{stack.url}/local/token", json=asked, timeout=10, trust_env=False)
    headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['token']}"}
    return httpx.Client(base_url=f"{stack.url}/customer", headers=headers, timeout=15, trust_env=False)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Devices of a tenant that are connected, with TLS; `size` of them."""

    stack: Stack
    api: httpx.Client
    size: int
    tenant: str

    def memories(self, folder: Path) -> dict[str, Memory]:
        """What each device of the tenant knows, by its user name."""
        file = folder / "memories"
        file.write_text(self.stack.compose("exec", "-T", "fleetsim", "cat", "/var/lib/fleetsim/memories"))
        journal = Journal(file)
        journal.close()
        return {user: memory for user, memory in journal.memories.items() if user.startswith(f"{self.tenant}/")}

    def counted(self, what: str) -> int:
        """A number of the line in which the simulator says what its devices have done."""
        numbers = re.findall(rf"(\d+)(?: of \d+)? {what}", self.stack.compose("logs", "--tail", "1", "fleetsim"))
        return int(numbers[-1]) if numbers else 0

    def until_connected(self) -> None:
        """Returns when all but those that are away for a while are connected."""
        most = 0.9 * self.size
        took = until(lambda: self.counted("devices connected") > most, "the devices connect", CONNECT_SECONDS)
        say(f"connected after {took:.0f} s")

    def restarted(self) -> None:
        """The simulator starts anew, as if all devices had; returns when they are connected."""
        self.stack.compose("restart", "fleetsim")
        self.until_connected()


def connected(stack: Stack, api: httpx.Client, size: int, tenant: str = TENANT) -> Fleet:
    """New devices of the tenant: known to the API, in one group, with accounts at the broker, simulated, online.

    `api` is its operator's.
    """
    devices = ["device_id,device_type,current_version"]
    devices += [f"d{number:04},{DEVICE_TYPE},{OLD}" for number in range(size)]
    csv = "\n".join(devices) + "\n"
    say(f"{size} devices: accounts at the broker, import over REST, simulator")
    (stack.deploy / "secrets" / "fleet.jsonl").write_text(stack.run("./accounts.sh", tenant, stdin=csv))
    _good(api.post("/device-groups", json={"group_id": GROUP, "name": "All"}))
    text = {"Content-Type": "text/csv"}
    imported = _good(api.post("/devices/import", params={"group_id": GROUP}, content=csv, headers=text))
    assert (imported["created"], imported["added_to_group"]) == (size, size)
    stack.compose("up", "-d", "--no-deps", "--force-recreate", "fleetsim", seconds=120)
    fleet = Fleet(stack, api, size, tenant)
    fleet.until_connected()
    return fleet


class Campaign:
    """A campaign for a fleet, seen as an operator sees it."""

    def __init__(self, fleet: Fleet, campaign_id: int) -> None:
        self.id = campaign_id
        self._api = fleet.api
        self._size = fleet.size

    def get(self) -> Json:
        """The last answer; empty while nobody can answer."""
        try:
            answer = self._api.get(f"/ota/campaigns/{self.id}")
        except httpx.TransportError:
            return {}
        return _good(answer) if answer.status_code < 500 else {}

    def succeeded(self) -> int:
        """Devices that have; 0 while nobody can answer."""
        return int(self.get().get("succeeded", 0))

    def change_rate(self, rate: int) -> None:
        """In devices per minute."""
        _good(self._api.patch(f"/ota/campaigns/{self.id}", json={"rollout_rate": rate}))

    def until_done(self, share: float, seconds: float = 180) -> None:
        """Returns when that share of the devices has succeeded."""
        wanted = int(share * self._size)
        until(lambda: self.succeeded() >= wanted, f"{wanted} devices done: {self.get()}", seconds)
        say(f"{wanted} of {self._size} devices done")

    def until_completed(self, seconds: float) -> Json:
        until(lambda: self.get().get("status") == "COMPLETED", f"the campaign completes: {self.get()}", seconds)
        return self.get()


def started(fleet: Fleet, *, rate: int) -> Campaign:
    """A campaign over all devices, RUNNING; `rate` in devices per minute."""
    content = random.Random(NEW).randbytes(FIRMWARE_BYTES)
    (fleet.stack.deploy / "files" / "firmware.bin").write_bytes(content)
    firmware = {
        "version": NEW,
        "device_type": DEVICE_TYPE,
        "file_url": "http://gateway:8080/files/firmware.bin",
        "file_size_bytes": len(content),
        "checksum_sha256": hashlib.sha256(content).hexdigest(),
    }
    wanted = {
        "name": "Through containers",
        "firmware_version_id": _good(fleet.api.post("/firmware", json=firmware))["id"],
        "target_group_id": GROUP,
        "rollout_rate": rate,
        "abort_threshold": 1,
        "max_attempts": 5,
        "attempt_timeout_seconds": 60,
    }
    campaign = Campaign(fleet, int(_good(fleet.api.post("/ota/campaigns", json=wanted))["id"]))
    _good(fleet.api.post(f"/ota/campaigns/{campaign.id}/start", json={}))
    return campaign


def _good(answer: httpx.Response) -> Json:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    read: Json = answer.json()
    return read
