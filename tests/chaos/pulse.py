"""How the system is doing, looked at all the time: does REST answer, do commands go out, are reports taken in."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
import httpx

from pulse.contracts.kafka import DispatchRequest, DispatchResult
from pulse.runtime.db import OUTAGES
from tests.chaos.checker.story import command_of
from tests.chaos.history import Written

LOOK_SECONDS = 0.2
ANSWER_SECONDS = 1.0
Key: TypeAlias = tuple[str, str, int, int]
"""A tenant, a device, a campaign and an attempt."""
CAUGHT_UP = "SELECT min(caught_up_at) FROM ingest_members"


@dataclass(slots=True)
class Bucket:
    """A bucket's requests that have not been written yet, and who wrote its last command, when."""

    open: set[Key] = field(default_factory=set)
    writer: str = ""
    at: float = 0.0


class Commands:
    """Requests and commands as they come, by bucket."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets: dict[str, Bucket] = defaultdict(Bucket)
        self._of: dict[Key, str] = {}

    def requested(self, request: DispatchRequest) -> None:
        key = (request.tenant_id, request.device_id, request.campaign_id, request.attempt)
        self._of[key] = request.bucket
        self._buckets[request.bucket].open.add(key)

    def settled(self, result: DispatchResult) -> None:
        """Whatever came of it."""
        self._gone((result.tenant_id, result.device_id, result.campaign_id, result.attempt))

    def written(self, line: Written) -> None:
        self.count += 1
        command = command_of(line)
        if command is None:
            return
        bucket = self._gone((line.tenant, line.device, command.campaign_id, command.attempt))
        if bucket is not None:
            bucket.writer, bucket.at = line.by, line.at

    def _gone(self, key: Key) -> Bucket | None:
        name = self._of.get(key)
        if name is None:
            return None
        self._buckets[name].open.discard(key)
        return self._buckets[name]

    def held(self, since: float, process: str | None = None) -> list[str]:
        """The buckets that have something left; of one dispatcher those that it has written from since then."""
        held = [(name, bucket) for name, bucket in self._buckets.items() if bucket.open]
        return [n for n, b in held if process is None or (b.writer == process and b.at >= since)]

    def went_on(self, bucket: str, since: float) -> bool:
        """Whether something of the bucket was written after that, or nothing of it is left."""
        found = self._buckets[bucket]
        return found.at > since or not found.open


class Pulse:
    """The latest moments at which each thing worked, monotonic; `due`: whether commands ought to go out now."""

    def __init__(self, url: str, token: str, database: asyncpg.Pool, commands: Commands) -> None:
        self.commands = commands
        self.rest_at = 0.0
        self.caught_up_to = 0.0
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._database = database
        self._epoch = time.time() - time.monotonic()

    async def keep(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(self._ask_rest), name="REST answers")
            group.create_task(self._every(self._ask_database), name="ingest has caught up")

    async def _every(self, look: Callable[[], object]) -> None:
        while True:
            found = look()
            if asyncio.iscoroutine(found):
                await found
            await asyncio.sleep(LOOK_SECONDS)

    async def _ask_rest(self) -> None:
        """Both REST services through the gateway, by new connections."""
        asked = time.monotonic()
        try:
            async with httpx.AsyncClient(base_url=self._url, headers=self._headers, trust_env=False) as http:
                for path in ("/customer/ota/campaigns?limit=1", "/customer/firmware?limit=1"):
                    answer = await http.get(path, timeout=ANSWER_SECONDS)
                    answer.raise_for_status()
        except httpx.HTTPError:
            return
        self.rest_at = asked

    async def _ask_database(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                at = await self._database.fetchval(CAUGHT_UP)
        except OUTAGES:
            return
        if isinstance(at, datetime):
            self.caught_up_to = max(self.caught_up_to, at.astimezone(UTC).timestamp() - self._epoch)
