"""The rate promise over time, read at the dispatchers' sockets, while dispatchers join, leave and crash.

`PICTURES=docs/pictures` in the environment keeps the picture there.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from pathlib import Path

from local_stack.ports import free_ports
from pulse.contracts.kafka import DispatchRequest, bucket_burst, request_partition, shards_of
from tests.chaos import proxy, tap
from tests.chaos.checker.commands import worst_window
from tests.chaos.history import Written
from tests.chaos.proxy import Awake, Link
from tests.dispatcher_svc import promise_plot
from tests.dispatcher_svc.factories import control, request
from tests.dispatcher_svc.rig import Dispatcher, Rig, campaigns

RATE, PARTITIONS, SECONDS = 200.0, 24, 8
SHARDS = shards_of(RATE, PARTITIONS)
BURST = bucket_burst(RATE / SHARDS, 0.2)
LOOK_AHEAD_SECONDS = 2.0


class Run:
    """What happened: commands, and what was done to dispatchers; times monotonic."""

    def __init__(self, scene: Rig) -> None:
        self.scene = scene
        self.commands: list[Written] = []
        self.marks: list[tuple[float, str]] = []

    def mark(self, text: str) -> None:
        self.marks.append((time.monotonic(), text))

    @asynccontextmanager
    async def dispatchers(self, number: int) -> AsyncIterator[list[Link]]:
        """Links for so many dispatchers to come."""
        awake = Awake()
        links = [
            Link(f"dispatcher {n}", port, self.scene.broker.port, awake, tap.commands(f"{n}", self.commands.append))
            for n, port in enumerate(free_ports(number))
        ]
        async with proxy.running(*links):
            yield links

    async def join(self, link: Link) -> Dispatcher:
        dispatcher = await self.scene.start(MQTT_PORT=str(link.port))
        self.mark("one joins")
        return dispatcher

    async def ask(self, campaign: int, count: int) -> None:
        """As many requests as campaign-svc would have sent by then: a look-ahead's worth more than the rate allows."""
        began, sent = time.monotonic(), 0
        while sent < count:
            due = min(count, ceil(RATE * (time.monotonic() - began + LOOK_AHEAD_SECONDS)))
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
    campaign, run = next(c for c in campaigns if _is_spread(c)), Run(scene)
    count = int(RATE * SECONDS)
    await scene.announce(control(campaign))
    async with run.dispatchers(4) as links:
        first = await run.join(links[0])
        async with asyncio.TaskGroup() as group:
            group.create_task(run.ask(campaign, count))
            await asyncio.sleep(2)
            second = await run.join(links[1])
            await run.join(links[2])
            await asyncio.sleep(1.5)
            run.mark("one is killed")
            await first.end(signal.SIGKILL)
            await asyncio.sleep(2)
            run.mark("one leaves")
            await second.end()
            await run.join(links[3])
        outcomes = await scene.settled(campaign, count, seconds=60)
    own = [line for line in run.commands if f'"campaign_id":{campaign},' in line.payload]
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    promise_plot.draw(own, run.marks, RATE, SHARDS * BURST, pictures / "promise.png")
    published = {device for device, outcome in outcomes.items() if outcome == "PUBLISHED"}
    assert published <= {line.device for line in own}
    assert len(published) > count / 2, "too little was sent to break a promise"
    assert len({line.by for line in own}) >= 2, "one had it all"
    assert worst_window(own, RATE, observed=0.0) is None


def _is_spread(campaign: int) -> bool:
    """Whether its buckets lie on both sides of the middle of the partitions, and of three dispatchers' shares."""
    return request_partition(campaign, 0, RATE / SHARDS, PARTITIONS) == PARTITIONS // 2 - SHARDS // 2


def test_two_that_keep_the_same_rate_at_once_break_it() -> None:
    even = [1 / RATE * n for n in range(int(RATE * 2))]
    twice = sorted(even + even)
    lines = [Written(at=at, earliest=at, by="", tenant="acme", device="d", payload="") for at in twice]
    found = worst_window(lines, RATE, observed=0.0)
    assert found is not None
    assert len(found.lines) <= 3 * SHARDS * BURST
