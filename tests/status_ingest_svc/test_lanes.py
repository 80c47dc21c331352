"""What concerns one device is written in order, and no more waits for it than must."""

import asyncio
from itertools import count

from pulse.contracts.status import Event, Heard
from status_ingest_svc.batch import Batch, sort
from status_ingest_svc.lanes import BOTH, WORTH_HALVING, Lanes, Load, loads
from status_ingest_svc.reading import Campaign, Message

CAMPAIGNS = {7: Campaign("acme", "2.0", 3)}


def said(number: int, attempt: int | None = 1) -> Message:
    return Message("mqtt:t", b"", Heard("acme", 7, f"d{number}", attempt, Event.SUCCESS))


def batch(size: int, *more: Message) -> Batch:
    return sort([*(said(number) for number in range(size)), *more], CAMPAIGNS)


def devices(load: Load) -> set[str]:
    return {device for part, _ in load.parts for _, device in part.devices}


def test_a_small_batch_is_one_load_for_both_lanes() -> None:
    [load] = loads(batch(5, said(5, attempt=None)))
    assert load.lanes == BOTH
    assert [len(events) for _, events in load.parts] == [5, 1]


def test_a_large_one_is_halved_by_devices_the_same_way_each_time() -> None:
    first, second = loads(batch(WORTH_HALVING)), loads(batch(WORTH_HALVING, said(0, attempt=None)))
    for one, other in zip(first, second, strict=True):
        assert one.lanes == other.lanes
        assert devices(one) == devices(other)
    assert not devices(first[0]) & devices(first[1])
    assert sum(len(part.events()) for load in first for part, _ in load.parts) == WORTH_HALVING


def test_a_batch_of_nothing_needs_no_lane() -> None:
    assert loads(Batch()) == []


async def test_a_load_waits_for_those_before_it_in_its_lanes_and_for_no_other() -> None:
    lanes, turns = Lanes(), count()
    began: dict[str, int] = {}
    ends = {name: asyncio.Event() for name in ("left", "right", "both", "left again")}

    async def go(name: str, *numbers: int) -> None:
        async with lanes.through(Load(numbers, [])):
            began[name] = next(turns)
            await ends[name].wait()

    async def settled() -> list[str]:
        for _ in range(20):
            await asyncio.sleep(0)
        return sorted(began, key=began.__getitem__)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for name, numbers in {"left": (0,), "right": (1,), "both": BOTH, "left again": (0,)}.items():
            group.create_task(go(name, *numbers))
        assert await settled() == ["left", "right"]
        ends["left"].set()
        assert await settled() == ["left", "right"], "what needs both waits for the other, what follows it for it"
        ends["right"].set()
        assert await settled() == ["left", "right", "both"]
        ends["both"].set()
        assert await settled() == ["left", "right", "both", "left again"]
        ends["left again"].set()
