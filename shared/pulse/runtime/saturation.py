"""How late the event loop is: what a process that has too much to do shows first."""

import asyncio
import time

from prometheus_client import Histogram

LOOK_SECONDS = 0.25
LAG = Histogram(
    "pulse_event_loop_lag_seconds",
    "How late a timer of the event loop rang, looked at four times a second",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


async def watch() -> None:
    """Until cancelled."""
    while True:
        due = time.monotonic() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        LAG.observe(max(0.0, time.monotonic() - due))
