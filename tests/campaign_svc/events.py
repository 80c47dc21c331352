"""Readers of server-sent events, and replicas of the API that they connect to over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from campaign_svc.insight.feeds import Feeds
from campaign_svc.main import build
from local_stack.ports import free_ports
from pulse.runtime import db
from pulse.runtime.app import serve
from tests.real_parts import Database
from tests.rest import token, verifier

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it came."""

    name: str
    data: Any
    id: int | None


class Reader:
    """Events of one stream, in their order."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, *names: str) -> Event:
        """The next event (of these names, if any are given). Raises StopAsyncIteration at the stream's end."""
        fields: dict[str, str] = {}
        while True:
            async with asyncio.timeout(10):
                line = await anext(self._lines)
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                event = Event(
                    fields["event"], json.loads(fields["data"]), int(fields["id"]) if "id" in fields else None
                )
                fields = {}
                if not names or event.name in names:
                    return event

    async def ends(self) -> None:
        """Returns when the server has ended the stream."""
        while True:
            try:
                await self.next()
            except StopAsyncIteration:
                return


@asynccontextmanager
async def watch(url: str, path: str, *, bearer: str | None = None, last: int | None = None) -> AsyncIterator[Reader]:
    """A stream of its own connection, with `last` as Last-Event-ID."""
    headers = {"authorization": f"Bearer {bearer or token('viewer')}"}
    if last is not None:
        headers["last-event-id"] = str(last)
    async with (
        httpx.AsyncClient(base_url=url, timeout=10) as client,
        client.stream("GET", path, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reader(response)


@dataclass(frozen=True, slots=True)
class Replica:
    """A process's worth of the API: its address, its feeds, and the pool behind them."""

    url: str
    feeds: Feeds
    pool: db.Pool
    stop: asyncio.Event

    def watch(
        self, path: str, *, bearer: str | None = None, last: int | None = None
    ) -> AbstractAsyncContextManager[Reader]:
        return watch(self.url, path, bearer=bearer, last=last)


@asynccontextmanager
async def replica(postgres: Database, folder: Path) -> AsyncIterator[Replica]:
    """Serves on a port of its own until the end of the context."""
    [port] = free_ports(1)
    stop = asyncio.Event()
    async with db.pool(postgres.dsn_of("campaign_svc"), size=4) as pool:
        app = build(pool, verifier(folder), None, {})
        feeds: Feeds = app.state.feeds
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(app, HOST, port, stop))
            group.create_task(feeds.run(stop))
            made = Replica(f"http://{HOST}:{port}", feeds, pool, stop)
            try:
                await until_up(made.url)
                yield made
            finally:
                stop.set()


async def until_up(url: str) -> None:
    """Returns when the service there answers."""
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=url) as client:
        while True:
            try:
                await client.get("/healthz")
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            else:
                return
