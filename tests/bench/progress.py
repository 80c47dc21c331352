"""How fast a number grows: looked at many times a second, its beginning left out."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from local_stack.child import Child
from local_stack.errors import PartFailed

LOOK_SECONDS = 0.05
WARM_SHARE = 0.1
"""What is done by then is start-up: connections, first plans, caches."""


async def rate(process: Child, done: Callable[[], Awaitable[int]], total: int, seconds: float = 240) -> float:
    """Waits until `done` says `total`; how many a second were done from a tenth of it on.

    Raises TimeoutError, and PartFailed when the process that does it ends.
    """
    first: tuple[float, int] | None = None
    async with asyncio.timeout(seconds):
        while True:
            count, at = await done(), time.perf_counter()
            if first is None and count >= total * WARM_SHARE:
                first = at, count
            if count >= total:
                began, before = first or (at, 0)
                return (count - before) / max(at - began, LOOK_SECONDS)
            if not process.running:
                raise PartFailed(process.obituary())
            await asyncio.sleep(LOOK_SECONDS)
