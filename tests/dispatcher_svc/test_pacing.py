"""The rate is a promise: never more in any window, and close to it when there is work."""

import pytest

from pulse.contracts.kafka import DispatchRequest
from tests.chaos.history import Written
from tests.dispatcher_svc import promise
from tests.dispatcher_svc.factories import control, request
from tests.dispatcher_svc.rig import Rig, campaigns, until

PATIENCE = 20.0
"""Seconds more than needed that a busy machine may take until all is settled."""


def many(campaign: int, count: int, rate: float, burst: float = 1.0) -> list[DispatchRequest]:
    return [request(f"d{n}", campaign=campaign, rate=rate, burst=burst) for n in range(count)]


@pytest.mark.parametrize(("rate", "burst", "seconds"), [(1, 1.0, 5), (5, 1.0, 4), (50, 10.0, 4), (400, 80.0, 3)])
async def test_a_bucket_keeps_its_rate_and_makes_use_of_it(
    scene: Rig, rate: float, burst: float, seconds: float
) -> None:
    campaign = next(campaigns)
    count = int(rate * seconds + burst)
    await scene.announce(control(campaign))
    await scene.start()
    await scene.ask(*many(campaign, count, rate, burst))
    await scene.settled(campaign, count, seconds=seconds + PATIENCE)
    written = scene.written_of(campaign)
    assert promise.is_kept(written, rate, burst)
    after_the_burst = written[int(burst) :]
    half = len(after_the_burst) // 2  # the better half: a busy machine spoils the other one
    assert promise.quickest(after_the_burst, half) <= half / rate * 1.05 + 0.02


async def test_a_partition_sends_no_more_than_its_cap_and_shares_it(scene: Rig) -> None:
    one, two = next(campaigns), next(campaigns)
    await scene.announce(control(one), control(two))
    for campaign in (one, two):
        await scene.ask(*many(campaign, 150, rate=400, burst=80))
    await scene.start(PARTITION_RATE="100")
    await scene.settled(one, 150)
    await scene.settled(two, 150)
    written = scene.written_of(one, two)
    assert promise.is_kept(written, rate=100, burst=20)
    assert 45 <= len([line for line in written[100:200] if line in scene.written_of(one)]) <= 55


async def test_a_slow_campaign_waits_for_its_token_while_a_fast_one_goes_on(scene: Rig) -> None:
    slow, fast = next(campaigns), next(campaigns)
    await scene.announce(control(slow), control(fast))
    await scene.start()
    await scene.ask(*many(slow, 5, rate=0.5), partition=1)
    await scene.ask(*many(fast, 200, rate=100, burst=20), partition=1)
    await scene.settled(fast, 200)
    assert len(scene.outcomes(slow)) < 5
    assert promise.is_kept(scene.written_of(slow), rate=0.5, burst=1)


async def test_a_slow_campaign_that_fills_its_partition_holds_a_fast_one_up_only_until_it_expires(scene: Rig) -> None:
    slow, fast = next(campaigns), next(campaigns)
    await scene.announce(control(slow), control(fast))
    await scene.start(HELD_MAX="20")
    await scene.ask(*(request(f"d{n}", campaign=slow, rate=0.1, lives=3) for n in range(40)))
    await scene.ask(*many(fast, 10, rate=100))
    await scene.settled(fast, 10, seconds=15)
    outcomes = await scene.settled(slow, 40)
    assert set(outcomes.values()) == {"EXPIRED"}
    await until(scene.nothing_is_open, 5)


async def test_a_change_of_rate_counts_from_the_first_request_of_the_new_epoch(scene: Rig) -> None:
    campaign = next(campaigns)
    await scene.announce(control(campaign, 1))
    await scene.start()
    await scene.ask(*(request(f"old{n}", campaign=campaign, epoch=1, rate=2) for n in range(20)))
    await until(lambda: len(scene.written_of(campaign)) >= 2, 15)
    await scene.announce(control(campaign, 2))
    await scene.ask(*(request(f"new{n}", campaign=campaign, epoch=2, rate=40) for n in range(40)))
    outcomes = await scene.settled(campaign, 60, seconds=15)  # at the old rate 40 take 20
    assert [o for d, o in outcomes.items() if d.startswith("new")] == ["PUBLISHED"] * 40
    new = [line for line in scene.written_of(campaign) if line.device.startswith("new")]
    assert promise.is_kept(new, rate=40, burst=1)


def test_one_command_too_many_in_one_window_breaks_a_promise() -> None:
    times = [0.0, 0.0, *(n / 10 for n in range(1, 21))]
    assert promise.is_kept(at(times), rate=10, burst=2)
    assert not promise.is_kept(at(sorted([*times, 1.25])), rate=10, burst=2)
    assert promise.is_kept(at(sorted([*times, 1.25]), seen_late=0.1), rate=10, burst=2)


def at(times: list[float], seen_late: float = 0.0) -> list[Written]:
    """Commands that were read at these moments, written up to so many seconds before."""
    return [Written(at=t, earliest=t - seen_late, by="", tenant="acme", device="d", payload="") for t in times]
