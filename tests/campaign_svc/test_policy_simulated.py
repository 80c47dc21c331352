"""Campaigns simulated in time, without a stack: the rules see what an operator would see at each moment.

Failures may be reported long before successes, or long after them; the sequential rule must neither stop a good
firmware for the one, nor be blind for the other longer than the devices in flight allow.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from campaign_svc.engine.policy import AbortPolicy, AbortRule, Limits, Outcomes, must_abort, releases

DEVICES = 2_000
LOOK_AHEAD_SECONDS = 5.0
TICK_SECONDS = 0.5


@dataclass(frozen=True)
class Fleet:
    """`bad`: share of devices that fail; times in seconds from the command to the report, give or take a half."""

    bad: float
    fails_after: float
    succeeds_after: float

    def fate(self, chance: random.Random) -> tuple[bool, float]:
        fails = chance.random() < self.bad
        return fails, (self.fails_after if fails else self.succeeds_after) * chance.uniform(0.5, 1.5)


def sequential(confidence: float = 0.95) -> AbortPolicy:
    return AbortPolicy(AbortRule.SEQUENTIAL, 0.1, 1, confidence)


def looks(fleet: Fleet, chance: random.Random) -> Iterator[Outcomes]:
    """One device a second is commanded; what is known whenever one has failed.

    Only then can the evidence have grown, so a rule that holds at these moments holds however often one looks.
    """
    fates = [fleet.fate(chance) for _ in range(DEVICES)]
    reports = sorted((sent + delay, fails) for sent, (fails, delay) in enumerate(fates))
    succeeded = failed = 0
    for at, fails in reports:
        succeeded, failed = succeeded + (not fails), failed + fails
        if fails:
            yield Outcomes(succeeded, failed, dispatched=min(DEVICES, int(at) + 1), failing=failed)


def finished_only(seen: Outcomes) -> Outcomes:
    """The same without the devices at work."""
    return Outcomes(seen.succeeded, seen.failed, seen.succeeded + seen.failed, seen.failing)


AT_ONCE, FAILURES_FIRST, SUCCESSES_FIRST = (0.0, 0.0), (20.0, 300.0), (300.0, 20.0)


@pytest.mark.parametrize(
    "delays", [AT_ONCE, FAILURES_FIRST, SUCCESSES_FIRST], ids=["at once", "failures first", "successes first"]
)
@pytest.mark.parametrize("bad", [0.05, 0.08, 0.1])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_a_good_firmware_is_stopped_with_at_most_the_probability_that_was_asked_for(
    delays: tuple[float, float], bad: float, confidence: float
) -> None:
    chance, runs, policy = random.Random(20261124), 300, sequential(confidence)
    stopped = sum(any(must_abort(policy, seen) for seen in looks(Fleet(bad, *delays), chance)) for _ in range(runs))
    assert stopped / runs <= 1 - confidence


def test_counting_only_finished_devices_would_stop_nearly_every_good_firmware() -> None:
    """Why devices at work count: the same simulation tells a rule apart that leaves them out."""
    chance, runs, policy = random.Random(20261124), 100, sequential()
    fleet = Fleet(0.05, *FAILURES_FIRST)
    stopped = sum(any(must_abort(policy, finished_only(seen)) for seen in looks(fleet, chance)) for _ in range(runs))
    assert stopped / runs > 0.9


def first_stop(bad: float, chance: random.Random) -> tuple[int, int]:
    """Devices and failures when a firmware is stopped whose devices report at once."""
    policy, failed, n = sequential(), 0, 0
    while True:
        n, failed = n + 1, failed + (chance.random() < bad)
        if must_abort(policy, Outcomes(n - failed, failed, n, failed)):
            return n, failed


@pytest.mark.parametrize(
    ("bad", "runs", "devices", "failures"),
    [(0.15, 300, 314, 47), (0.2, 600, 84, 17), (0.3, 2_000, 25, 8), (0.5, 2_000, 9, 4), (0.9, 2_000, 3, 3)],
)
def test_a_bad_firmware_is_stopped_within_a_tenth_of_the_devices_that_were_designed_for(
    bad: float, runs: int, devices: int, failures: int
) -> None:
    """Means; those of the design are rounded to whole devices."""
    chance = random.Random(20261124)
    stops = [first_stop(bad, chance) for _ in range(runs)]
    assert sum(n for n, _ in stops) / runs == pytest.approx(devices, abs=0.1 * devices + 0.5)
    assert sum(failed for _, failed in stops) / runs == pytest.approx(failures, abs=0.1 * failures + 0.5)


@dataclass
class Campaign:
    """2,000 devices at ten a second, ticked as the service ticks; each fails once and for all, or succeeds."""

    fleet: Fleet
    limits: Limits
    chance: random.Random
    rate: float = 10.0
    policy: AbortPolicy = field(default_factory=sequential)

    def failed_in_the_end(self) -> int:
        """Devices that fail before the campaign is stopped, or afterwards since they were at work."""
        at_work: list[tuple[float, bool]] = []
        dispatched = succeeded = failed = tick = 0
        while not must_abort(self.policy, Outcomes(succeeded, failed, dispatched, failed)):
            now = tick * TICK_SECONDS
            while at_work and at_work[0][0] <= now:
                fails = heapq.heappop(at_work)[1]
                succeeded, failed = succeeded + (not fails), failed + fails
            if dispatched == DEVICES and not at_work:
                break
            for _ in range(min(self._release(len(at_work), succeeded, failed), DEVICES - dispatched)):
                fails, delay = self.fleet.fate(self.chance)
                heapq.heappush(at_work, (now + delay, fails))
                dispatched += 1
            tick += 1
        return failed + sum(fails for _, fails in at_work)

    def _release(self, active: int, succeeded: int, failed: int) -> int:
        """What the limits allow now, of which the rate lets through a tick's worth."""
        limit = self.limits.in_flight(succeeded, failed)
        allowed = releases(rate=self.rate, look_ahead=LOOK_AHEAD_SECONDS, queued=0, active=active, limit=limit)
        return min(allowed, round(self.rate * TICK_SECONDS))


NO_RAMP, CAREFUL, BOLD = Limits(None, None, 1), Limits(None, 10, 0.5), Limits(None, 50, 1)


def failed(limits: Limits, delays: tuple[float, float], bad: float = 0.5, runs: int = 60) -> list[int]:
    """Devices that failed in the end, by campaign, the fewest first."""
    chance = random.Random(20261124)
    return sorted(Campaign(Fleet(bad, *delays), limits, chance).failed_in_the_end() for _ in range(runs))


@pytest.mark.parametrize("delays", [(20.0, 300.0), (120.0, 120.0), (1_200.0, 120.0), (1.0, 6.0), (6.0, 1.0)])
def test_the_careful_ramp_keeps_the_damage_of_most_campaigns_below_30_devices(delays: tuple[float, float]) -> None:
    """Whether failures come long before successes or, as with devices that fall silent, long after them."""
    damage = failed(CAREFUL, delays, runs=300)
    assert damage[0] >= 3, "fewer are no evidence"
    assert damage[len(damage) // 2] <= 22
    assert damage[int(0.8 * len(damage))] < 30


def test_without_a_ramp_the_damage_grows_with_the_delay() -> None:
    assert failed(NO_RAMP, (120.0, 120.0), runs=20)[0] > 10 * failed(CAREFUL, (120.0, 120.0), runs=20)[-1]


@pytest.mark.parametrize(("limits", "start"), [(CAREFUL, 10), (BOLD, 50)])
def test_a_firmware_that_bricks_every_device_reaches_just_the_ramps_start(limits: Limits, start: int) -> None:
    assert set(failed(limits, (1_200.0, 120.0), bad=1.0, runs=10)) == {start}


def test_a_ramp_does_not_hold_up_a_campaign_that_its_rule_lets_go_on() -> None:
    """All of them fail, and the operator has said that this is no reason to stop."""
    never = AbortPolicy(AbortRule.SEQUENTIAL, 1.0, 1, 0.95)
    campaign = Campaign(Fleet(1.0, 1.0, 1.0), CAREFUL, random.Random(20261124), policy=never)
    assert campaign.failed_in_the_end() == DEVICES
