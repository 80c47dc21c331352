"""The rate promise over time, read at the dispatchers' sockets, while dispatchers join, leave and crash.

`PICTURES=docs/pictures` in the environment keeps the picture there.
"""

import asyncio
import os
import signal
import time
from math import ceil
from pathlib import Path

from pulse.contracts.kafka import DispatchRequest, bucket_burst, request_partition, shards_of
from tests.chaos.checker.commands import worst_window
from tests.chaos.history import Written
from tests.dispatcher_svc import promise_plot
from tests.dispatcher_svc.factories import control, request
from tests.dispatcher_svc.rig import Dispatcher, Rig, campaigns

RATE, PARTITIONS = 200.0, 24
SHARDS = shards_of(RATE, PARTITIONS)
BURST = bucket_burst(RATE / SHARDS, 0.2)
LOOK_AHEAD_SECONDS = 2.0
KILLED_SECONDS = 8.0
"""The session of a killed dispatcher ends after six, then its partitions are another's."""


class Run:
    """What is asked for, and what was done to dispatchers; times monotonic."""

    def __init__(self, scene: Rig) -> None:
        self.scene = scene
        self.marks: list[tuple[float, str]] = []

    def mark(self, text: str) -> None:
        self.marks.append((time.monotonic(), text))

    async def join(self) -> Dispatcher:
        dispatcher = await self.scene.start()
        self.mark("one joins")
        return dispatcher

    async def ask(self, campaign: int) -> None:
        """Until cancelled, what campaign-svc would have sent by then: a look-ahead more than the rate allows."""
        began, sent = time.monotonic(), 0
        while True:
            due = ceil(RATE * (time.monotonic() - began + LOOK_AHEAD_SECONDS))
            for shard in range(SHARDS):
                partition = request_partition(campaign, shard, RATE / SHARDS, PARTITIONS)
                numbers = [n for n in range(sent, due) if n % SHARDS == shard]
                await self.scene.ask(*(self._request(campaign, n, shard) for n in numbers), partition=partition)
            sent = due
            await asyncio.sleep(0.1)

    def _request(self, campaign: int, number: int, shard: int) -> DispatchRequest:
        return request(f"d{number}", campaign=campaign, rate=RATE / SHARDS, burst=BURST, shard=shard)


async def test_no_window_is_above_the_promise_while_dispatchers_join_leave_and_crash(
    scene: Rig, tmp_path: Path
) -> None:
    campaign, run = next(campaigns), Run(scene)
    await scene.announce(control(campaign))
    first = await run.join()
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(run.ask(campaign))
        await asyncio.sleep(1.5)
        second = await run.join()
        await run.join()
        await asyncio.sleep(1.5)
        run.mark("one is killed")
        await first.end(signal.SIGKILL)
        await asyncio.sleep(KILLED_SECONDS)
        run.mark("one leaves")
        await second.end()
        await run.join()
        await asyncio.sleep(2)
        asking.cancel()
    own = scene.written_of(campaign)
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    promise_plot.draw(own, run.marks, RATE, SHARDS * BURST, pictures / "promise.png")
    seconds = own[-1].at - own[0].at
    assert len(own) > RATE * seconds / 3, "too little was sent to break a promise"
    assert len({line.by for line in own}) >= 2, "one had it all"
    assert worst_window(own, RATE, observed=0.0) is None


def test_two_that_keep_the_same_rate_at_once_break_it() -> None:
    even = [1 / RATE * n for n in range(int(RATE * 2))]
    twice = sorted(even + even)
    lines = [Written(at=at, earliest=at, by="", tenant="acme", device="d", payload="") for at in twice]
    found = worst_window(lines, RATE, observed=0.0)
    assert found is not None
    assert len(found.lines) <= 3 * SHARDS * BURST
