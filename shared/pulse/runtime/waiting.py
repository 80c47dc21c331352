"""A service that can do nothing without Kafka waits for it at its start, and says so meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pulse.runtime.app import create_app, serve
from pulse.runtime.process import unless
from pulse.runtime.settings import ServiceSettings

T = TypeVar("T")
PATIENCE_SECONDS = 1.0


async def for_kafka(
    title: str, settings: ServiceSettings, stop: asyncio.Event, starting: Coroutine[Any, Any, T]
) -> T | None:
    """What `starting` returns and raises; None at `stop`. After a second probes and metrics are served meanwhile."""
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_probes(title, settings, done), name="http-waiting")
        started = await unless(stop, starting)
        done.set()
    return started


async def _probes(title: str, settings: ServiceSettings, done: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await done.wait()
    except TimeoutError:
        app = create_app(title, ready={"kafka": _is_away})
        await serve(app, settings.http_host, settings.http_port, done)


async def _is_away() -> bool:
    return False
