"""The rate is a promise: never more in any window, and close to it when there is work."""

import pytest

from pulse.contracts.kafka import DispatchRequest
from tests.dispatcher_svc.factories import control, request
from tests.dispatcher_svc.rig import Rig, Seen, campaigns, most_in_window, until

JITTER = 0.1
"""Seconds by which the observer may see two commands closer together than they were sent."""


def many(campaign: int, count: int, rate: float, burst: float = 1.0) -> list[DispatchRequest]:
    return [request(f"d{n}", campaign=campaign, rate=rate, burst=burst) for n in range(count)]


def assert_promise(scene: Rig, commands: list[Seen], rate: float, burst: float) -> None:
    times = [c.at for c in commands]
    late = JITTER + scene.held_up
    for window in (0.1, 0.5, 1, 2):
        assert most_in_window(times, window) <= rate * (window + late) + burst


@pytest.mark.parametrize(("rate", "burst", "seconds"), [(1, 1.0, 5), (5, 1.0, 4), (50, 10.0, 4), (400, 80.0, 3)])
async def test_a_bucket_keeps_its_rate_and_makes_use_of_it(
    scene: Rig, rate: float, burst: float, seconds: float
) -> None:
    campaign = next(campaigns)
    count = int(rate * seconds + burst)
    await scene.announce(control(campaign))
    await scene.start()
    await scene.ask(*many(campaign, count, rate, burst))
    await scene.settled(campaign, count, seconds=seconds + 5)
    commands = scene.commands_of(campaign)
    assert_promise(scene, commands, rate, burst)
    took = commands[-1].at - commands[0].at
    assert (count - burst) / rate - JITTER <= took <= (count - 1) / rate * 1.05 + 0.5 + scene.held_up


async def test_a_partition_sends_no_more_than_its_cap_and_shares_it(scene: Rig) -> None:
    one, two = next(campaigns), next(campaigns)
    await scene.announce(control(one), control(two))
    await scene.start(PARTITION_RATE="100")
    for campaign in (one, two):
        await scene.ask(*many(campaign, 150, rate=400, burst=80))
    await scene.settled(one, 150)
    await scene.settled(two, 150)
    assert_promise(scene, scene.commands_of(one) + scene.commands_of(two), rate=100, burst=20)
    middle = sorted((c.at, c.device, one_or_two) for one_or_two in (one, two) for c in scene.commands_of(one_or_two))
    assert 45 <= [campaign for _, _, campaign in middle[100:200]].count(one) <= 55


async def test_a_slow_campaign_waits_for_its_token_while_a_fast_one_goes_on(scene: Rig) -> None:
    slow, fast = next(campaigns), next(campaigns)
    await scene.announce(control(slow), control(fast))
    await scene.start()
    await scene.ask(*many(slow, 5, rate=0.5), partition=1)
    await scene.ask(*many(fast, 200, rate=100, burst=20), partition=1)
    await scene.settled(fast, 200, seconds=6)
    assert len(scene.commands_of(slow)) <= 2


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
    await until(lambda: len(scene.commands_of(campaign)) >= 2, 5)
    await scene.announce(control(campaign, 2))
    await scene.ask(*(request(f"new{n}", campaign=campaign, epoch=2, rate=40) for n in range(40)))
    outcomes = await scene.settled(campaign, 60, seconds=5)
    assert [o for d, o in outcomes.items() if d.startswith("new")] == ["PUBLISHED"] * 40
    assert_promise(scene, [c for c in scene.commands_of(campaign) if c.device.startswith("new")], rate=40, burst=1)
