"""Medians, ratios to limits of the same runs, and what counts as reached."""

import asyncio
import os

from campaign_svc.engine.pace import pace_of
from tests.bench import promise
from tests.bench.figures import Measure
from tests.bench.meter import Meter, cpu_seconds
from tests.bench.raw_mqtt import device_order
from tests.bench.shares import share


def test_each_run_is_held_against_its_own_limit() -> None:
    measure = Measure("m", "1/s", values=[10, 40, 30], limits=[20, 100, 100], aim=0.35)
    assert (measure.value, measure.ratio, measure.is_reached) == (30, 0.4, True)


def test_an_aim_may_be_the_most_that_is_allowed() -> None:
    assert Measure("m", "ms", [99], aim=100, at_most=True).is_reached
    assert not Measure("m", "ms", [101], aim=100, at_most=True).is_reached
    assert Measure("m", "ms", [101]).is_reached is None


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (share(values, 0.5), share(values, 0.99), share(values, 1.0)) == (50, 99, 100)
    assert share([7.0], 0.99) == 7


def test_devices_come_scattered_and_each_once() -> None:
    order = device_order(1_000)
    assert sorted(order) == list(range(1_000))
    assert abs(order[1] - order[0]) > 100


def test_an_even_rate_is_never_above_its_promise_and_a_faster_one_is() -> None:
    pace = pace_of(7, 100.0, 24, 0.2)
    even = [number / 100 for number in range(1_000)]
    assert promise.above(even, pace) <= 0
    assert promise.achieved(even, 100) == 1
    bunched = [*even, *[10.0] * 100]
    assert promise.above(bunched, pace) > 50


async def test_a_meter_counts_what_children_used_that_have_ended() -> None:
    meter = Meter({"this": os.getpid()})
    before = cpu_seconds(os.getpid())
    busy = await asyncio.create_subprocess_exec("python3", "-c", "for _ in range(3_000_000): pass")
    await busy.wait()
    [usage] = meter.read()
    assert usage.cpu_seconds >= cpu_seconds(os.getpid()) - before - 0.05 > 0
    assert usage.peak_mib > 10
