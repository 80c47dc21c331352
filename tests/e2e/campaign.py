"""A campaign as an operator has it: over REST through the gateway, with the moments of what was asked."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from tests.chaos import history
from tests.e2e.watch import Watch

Json = dict[str, Any]
Change = Literal["start", "pause", "abort", "rate", "retry"]
LOOK_SECONDS = 0.15
ENDED = ("COMPLETED", "ABORTED")


@dataclass(frozen=True, slots=True)
class Asked:
    """A control change; `answered` is the moment of its 200, in seconds since 1970; `at` that of the request.

    `rate` in devices a minute, of a change of rate.
    """

    what: Change
    answered: float
    at: float | None = None
    rate: int | None = None

    def line(self, tenant: str, campaign: int) -> history.Asked:
        return history.Asked(
            at=self.answered if self.at is None else self.at,
            tenant=tenant,
            campaign=campaign,
            change=self.what,
            answered=self.answered,
            status=200,
            rate=None if self.rate is None else self.rate / 60,
        )


@dataclass(slots=True)
class Campaign:
    """`rates`: all it has had, in devices per minute; `asked`: the control changes and retries, oldest first."""

    id: int
    http: httpx.AsyncClient
    watch: Watch
    rates: list[int]
    devices_total: int
    asked: list[Asked] = field(default_factory=list)

    async def start(self) -> Asked:
        """Starts it, or goes on."""
        return await self._control("start")

    async def pause(self) -> Asked:
        return await self._control("pause")

    async def abort(self) -> Asked:
        return await self._control("abort")

    async def _control(self, what: Change) -> Asked:
        at = time.time()
        answer = await self.http.post(f"{self._path}/{what}", json={"reason": "a test wants it"})
        return self._noted(answer, what, at)

    async def unannounced(self, what: str) -> None:
        """Starts, pauses or aborts it while Kafka is away: saved, and 202."""
        answer = await self.http.post(f"{self._path}/{what}", json={})
        assert (answer.status_code, answer.json()["control"]) == (202, "pending"), answer.text

    async def retry_failed(self) -> int:
        """An operator's retry of all failed devices, which alone may change a finished row; how many there are."""
        await self.watch.look()
        at = time.time()
        answer = await self.http.post(f"{self._path}/retry", json={})
        assert answer.status_code == 202, answer.text
        self.asked.append(Asked("retry", time.time(), at))
        return int(answer.json()["accepted"])

    async def approve(self, stage: int, headers: dict[str, str]) -> int:
        """The status of the answer to one who brings these headers."""
        answer = await self.http.post(f"{self._path}/stages/{stage}/approve", json={}, headers=headers)
        return answer.status_code

    async def refused(self, what: str) -> str:
        """The code of the refusal of a control change. Fails when it is not refused."""
        answer = await self.http.post(f"{self._path}/{what}", json={})
        assert answer.status_code == 409, answer.text
        return str(answer.json()["code"])

    async def change_rate(self, rate: int) -> Asked:
        self.rates.append(rate)
        at = time.time()
        answer = await self.http.patch(self._path, json={"rollout_rate": rate})
        return self._noted(answer, "rate", at, rate)

    def _noted(self, answer: httpx.Response, what: Change, at: float, rate: int | None = None) -> Asked:
        asked = Asked(what, time.time(), at, rate)
        assert answer.status_code == 200, f"{what} of campaign {self.id}: {answer.status_code} {answer.text}"
        assert answer.json()["control"] == "announced", answer.text
        self.asked.append(asked)
        return asked

    @property
    def _path(self) -> str:
        return f"/customer/ota/campaigns/{self.id}"

    async def get(self) -> Json:
        return _read(await self.http.get(self._path))

    async def devices(self) -> dict[str, Json]:
        """Its device rows by device id."""
        page = _read(await self.http.get(f"{self._path}/devices", params={"limit": 200}))
        assert page["next"] is None, "more devices than a page has"
        return {row["device_id"]: row for row in page["devices"]}

    async def timeline(self) -> list[str]:
        """The names of all that happened, oldest first."""
        entries = _read(await self.http.get(f"{self._path}/timeline"))["entries"]
        return [entry["event"] for entry in entries]

    async def until(self, holds: Callable[[Json], bool], seconds: float = 60) -> Json:
        """The first answer of which something holds; rows are looked at meanwhile. Fails with the last answer.

        A gateway without a service behind it, or a service without its database, is waited for.
        """
        answer: Json = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self.watch.look()
            try:
                response = await self.http.get(self._path)
            except httpx.TransportError:
                continue
            if response.status_code < 500:
                answer = _read(response)
                if holds(answer):
                    return answer
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"not within {seconds:g} s; campaign {self.id} is {answer}")

    async def until_ended(self, seconds: float = 60) -> Json:
        """Until it has ended and no device is unsettled any more."""
        return await self.until(lambda c: c["status"] in ENDED and c["completed_at"] is not None, seconds)

    async def until_done(self, number: int, seconds: float = 60) -> Json:
        """Until so many devices have succeeded."""
        return await self.until(lambda c: bool(c["succeeded"] >= number), seconds)

    async def until_devices(self, holds: Callable[[dict[str, Json]], bool], seconds: float = 60) -> dict[str, Json]:
        """The first device rows of which something holds. Fails with the last ones."""
        rows: dict[str, Json] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self.watch.look()
            rows = await self.devices()
            if holds(rows):
                return rows
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"not within {seconds:g} s; the devices of campaign {self.id} are {rows}")


def _read(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, f"{answer.request.url}: {answer.status_code} {answer.text}"
    read: Json = answer.json()
    return read
