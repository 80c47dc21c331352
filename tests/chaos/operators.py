"""Operators at work: a group of devices gets one campaign after the other, started, paused, aborted, tried again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal
from uuid import uuid4

import httpx

from tests.chaos.history import Asked, Line, Made, Trespassed

Change = Literal["start", "pause", "abort", "rate", "retry"]
Json = dict[str, Any]
ANSWER_SECONDS = 4.0
AGAIN_SECONDS = 0.25
LOOK_SECONDS = 0.5
NO_ANSWER = 599
"""What stands in a history for an answer that did not come."""
RATES = (300, 600, 1200, 3600)
"""Devices a minute; the last needs two buckets."""
ENDED = frozenset({"COMPLETED", "ABORTED"})


@dataclass(slots=True)
class Desk:
    """What operators share. `closed`: no more campaigns; `counts` are for people to see."""

    gateway: str
    note: Callable[[Line], object]
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    counts: dict[str, int] = field(default_factory=lambda: {"campaigns": 0, "changes": 0, "devices": 0})


class Operator:
    """One tenant's operator for one group. Asks again, under the same idempotency key, until there is an answer."""

    def __init__(self, desk: Desk, tenant: str, group: str, token: str, other_token: str, seed: str) -> None:
        self._desk = desk
        self._tenant = tenant
        self._group = group
        self._random = Random(seed)
        bearer = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=desk.gateway, headers=bearer, timeout=ANSWER_SECONDS, trust_env=False)
        self._stranger = {"Authorization": f"Bearer {other_token}"}
        self._version = 1

    async def run(self) -> None:
        """Campaign after campaign until the desk is closed and the last one has ended."""
        while not self._desk.closed.is_set():
            self._version += 1
            await self._campaign()

    async def close(self) -> None:
        await self._http.aclose()

    async def register(self, devices: list[str], device_type: str) -> None:
        """The group and its devices."""
        known = {"device_type": device_type, "current_version": "1"}
        await self._post("/customer/devices/bulk", {"devices": [{"device_id": d, **known} for d in devices]})
        await self._post("/customer/device-groups", {"group_id": self._group, "name": self._group})
        await self._post(f"/customer/device-groups/{self._group}/members", {"device_ids": devices})
        self._device_type = device_type

    async def _campaign(self) -> None:
        rate = self._random.choice(RATES)
        campaign = await self._created(rate)
        number, devices = int(campaign["id"]), int(campaign["total_devices"])
        self._desk.note(
            Made(at=time.monotonic(), tenant=self._tenant, campaign=number, devices=devices, rate=rate / 60)
        )
        self._desk.counts["campaigns"] += 1
        await self._change(number, "start")
        await self._watch(number)
        self._desk.counts["devices"] += devices

    async def _created(self, rate: int) -> Json:
        version = str(self._version)
        firmware = {
            "version": f"{self._group}-{version}",
            "device_type": self._device_type,
            "file_url": f"{self._desk.gateway}/files/none",
            "file_size_bytes": 1000,
            "checksum_sha256": "ab" * 32,
        }
        made = await self._post("/customer/firmware", firmware)
        wanted = {
            "name": f"{self._group} {version}",
            "firmware_version_id": made["id"],
            "target_group_id": self._group,
            "rollout_strategy": "linear",
            "rollout_rate": rate,
            "abort_threshold": 1,
            "max_attempts": 2,
            "attempt_timeout_seconds": 20,
        }
        return await self._post("/customer/ota/campaigns", wanted)

    async def _watch(self, number: int) -> None:
        """Until it has ended, something being changed now and then; in a hurry once the desk is closed."""
        hurried = retried = False
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            seen = await self._ask("GET", f"/customer/ota/campaigns/{number}")
            if seen is None:
                continue
            closed = self._desk.closed.is_set()
            if seen["status"] in ENDED and seen["completed_at"] is not None:
                if closed or retried or not seen["failed"] or seen["status"] == "ABORTED":
                    return
                retried = True
                await self._change(number, "retry")
            elif seen["status"] == "PAUSED":
                await asyncio.sleep(self._random.uniform(0.2, 2))
                await self._change(number, "start")
            elif closed and not hurried and seen["status"] == "RUNNING":
                hurried = True
                await self._change(number, "rate", RATES[-1])
            elif seen["status"] == "RUNNING" and not closed:
                await self._something(number)

    async def _something(self, number: int) -> None:
        draw = self._random.random()
        if draw < 0.04:
            await self._change(number, "pause")
        elif draw < 0.06:
            await self._change(number, "rate", self._random.choice(RATES))
        elif draw < 0.065:
            await self._change(number, "abort")
        elif draw < 0.12:
            await self._trespass(number)

    async def _trespass(self, number: int) -> None:
        """Somebody of another tenant tries to look, or to change something."""
        path = f"/customer/ota/campaigns/{number}"
        method, path = self._random.choice([("GET", path), ("GET", f"{path}/devices"), ("POST", f"{path}/abort")])
        try:
            answer = await self._http.request(
                method, path, headers=self._stranger, json={} if method == "POST" else None
            )
        except httpx.TransportError:
            return
        self._desk.note(
            Trespassed(at=time.monotonic(), tenant="another", path=f"{method} {path}", status=answer.status_code)
        )

    async def _change(self, number: int, change: Change, rate: int | None = None) -> None:
        """A control change, asked until it is answered; each time is a line of the history."""
        path = f"/customer/ota/campaigns/{number}" + ("" if change == "rate" else f"/{change}")
        method, body = ("PATCH", {"rollout_rate": rate}) if change == "rate" else ("POST", {})
        headers = {"Idempotency-Key": uuid4().hex}
        status = NO_ANSWER
        self._desk.counts["changes"] += 1
        while status >= 500:
            at = time.monotonic()
            try:
                status = (await self._http.request(method, path, json=body, headers=headers)).status_code
            except httpx.TransportError:
                status = NO_ANSWER
            self._desk.note(
                Asked(
                    at=at,
                    tenant=self._tenant,
                    campaign=number,
                    change=change,
                    answered=time.monotonic(),
                    status=status,
                    rate=None if rate is None else rate / 60,
                )
            )
            if status >= 500:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _post(self, path: str, body: Json) -> Json:
        """Asked until it is answered. Raises RuntimeError for a refusal."""
        key = {"Idempotency-Key": uuid4().hex}
        while True:
            answer = await self._ask("POST", path, body, key)
            if answer is not None:
                return answer
            await asyncio.sleep(AGAIN_SECONDS)

    async def _ask(self, method: str, path: str, body: Json | None = None, headers: Json | None = None) -> Json | None:
        """The answer, or None where there is none, or a 5xx. Raises RuntimeError for a refusal."""
        try:
            answer = await self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            return None
        if answer.status_code >= 500:
            return None
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        found: Json = answer.json() if answer.content else {}
        return found
