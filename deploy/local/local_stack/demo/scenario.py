"""What a demo needs before its campaign can start: a firmware file, devices with accounts, a group, the campaign."""

import hashlib
import json
import random
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local_stack import broker_accounts
from local_stack.api import Api, Json
from local_stack.demo.settings import DemoSettings
from local_stack.files import write_atomically
from pulse.contracts.mqtt import user_name

DEVICE_TYPE = "demo-gateway"
OLD_VERSION = "1.0.0"
FIRMWARE_BYTES = 300_000
ATTEMPT_SECONDS = 12
MAX_ATTEMPTS = 2
ABORT_THRESHOLD = 0.1
GATED_STAGES = (
    {"name": "canary", "count": 10, "min_success": 0.8},
    {"name": "early", "share": 0.2, "min_success": 0.9},
)
"""Everyone else follows; the first gate forgives two of ten devices, since one is 10 percent."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One demo: `stamp` tells it from others on the same stack."""

    settings: DemoSettings
    stamp: str

    @classmethod
    def of_now(cls, settings: DemoSettings) -> "Scenario":
        return cls(settings, datetime.now(UTC).strftime("%m%d.%H%M%S"))

    @property
    def version(self) -> str:
        return f"2.{self.stamp}"

    @property
    def title(self) -> str:
        """Of the campaign."""
        who = f"{self.settings.devices:,} demo gateways"
        return f"Gateway {self.version} to {who}{', canary first' if self.settings.strategy == 'canary' else ''}"

    @property
    def group_id(self) -> str:
        return f"demo-{self.stamp}"

    @property
    def device_ids(self) -> list[str]:
        return [f"demo-{number:04}" for number in range(1, self.settings.devices + 1)]

    def campaign(self, firmware_id: int) -> Json:
        """Judged by the sequential rule: a failed first attempt counts at once, and no early failure decides alone."""
        wishes = self.settings
        campaign: Json = {
            "name": self.title,
            "firmware_version_id": firmware_id,
            "target_group_id": self.group_id,
            "rollout_strategy": wishes.strategy,
            "rollout_rate": wishes.rate,
            "abort_rule": "sequential",
            "abort_threshold": ABORT_THRESHOLD,
            "abort_confidence": 0.95,
            "max_attempts": MAX_ATTEMPTS,
            "attempt_timeout_seconds": ATTEMPT_SECONDS,
        }
        if wishes.strategy == "canary":
            campaign["stages"] = [{**stage, "soak_seconds": wishes.soak} for stage in GATED_STAGES]
        if wishes.ramp is not None:
            campaign["ramp_start"], campaign["ramp_factor"] = wishes.ramp
        return campaign


def put_firmware(scenario: Scenario, files_dir: Path, gateway_url: str) -> Json:
    """Writes the firmware file where the gateway serves it; what the API must know of it."""
    content = random.Random(scenario.stamp).randbytes(FIRMWARE_BYTES)
    name = f"demo-{scenario.version}.bin"
    files_dir.mkdir(parents=True, exist_ok=True)
    (files_dir / name).write_bytes(content)
    return {
        "version": scenario.version,
        "description": "Firmware of `make demo`, random bytes",
        "device_type": DEVICE_TYPE,
        "file_url": f"{gateway_url}/files/{name}",
        "file_size_bytes": len(content),
        "checksum_sha256": hashlib.sha256(content).hexdigest(),
    }


def make_accounts(scenario: Scenario, run_dir: Path) -> Path:
    """Gives every device an account at the broker; the file that tells the simulated fleet of them."""
    tenant = scenario.settings.tenant
    passwords = {device_id: secrets.token_urlsafe(12) for device_id in scenario.device_ids}
    broker_accounts.add(run_dir, {user_name(tenant, name): password for name, password in passwords.items()})
    same = {"tenant_id": tenant, "device_type": DEVICE_TYPE, "version": OLD_VERSION}
    lines = [json.dumps({**same, "device_id": name, "password": password}) for name, password in passwords.items()]
    file = run_dir / "demo" / "devices.jsonl"
    write_atomically(file, "\n".join(lines) + "\n")
    return file


async def register(scenario: Scenario, api: Api, firmware: Json) -> int:
    """Everything over REST, up to the campaign, whose id it returns."""
    firmware_id = await api.register_firmware(firmware)
    kind = {"device_type": DEVICE_TYPE, "current_version": OLD_VERSION}
    await api.register_devices([{"device_id": device_id, **kind} for device_id in scenario.device_ids])
    await api.make_group(scenario.group_id, f"Demo gateways, {scenario.stamp}", scenario.device_ids)
    return await api.create_campaign(scenario.campaign(firmware_id))
