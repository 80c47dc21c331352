"""A service that can do nothing without Kafka waits for it at its start, and says so meanwhile."""

import asyncio
from collections.abc import Iterable

from pulse.contracts.kafka import Topic
from pulse.runtime.app import create_app, serve
from pulse.runtime.kafka import topics_once_there
from pulse.runtime.settings import ServiceSettings

PATIENCE_SECONDS = 1.0


async def topics(
    title: str, settings: ServiceSettings, bootstrap: str, wanted: Iterable[Topic], stop: asyncio.Event
) -> dict[str, int] | None:
    """What `topics_once_there` returns and raises. After a second of waiting probes and metrics are served."""
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(topics_once_there(bootstrap, wanted, stop), name="kafka-start")
        await asyncio.wait([looking], timeout=PATIENCE_SECONDS)
        if not looking.done():
            app = create_app(title, ready={"kafka": _is_away})
            group.create_task(serve(app, settings.http_host, settings.http_port, done), name="http-waiting")
            await asyncio.wait([looking])
            done.set()
    return looking.result()


async def _is_away() -> bool:
    return False
