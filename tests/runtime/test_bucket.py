"""The bucket keeps the promise of a rate, whatever happens around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.runtime.bucket import Bucket

ROUNDING = 1e-6
rates = st.one_of(st.just(1 / 60), st.floats(0.01, 2_000))
bursts = st.floats(1, 100)
pauses = st.one_of(st.just(0.0), st.floats(0, 0.01), st.floats(0, 30), st.floats(0, 100_000))
"""Between two looks at the bucket: nothing, moments, seconds, long stalls."""


def taken(bucket: Bucket, start: float, waits: list[float]) -> list[float]:
    """When tokens left, asked for after each of `waits`."""
    now, times = start, []
    for wait in waits:
        now += wait
        if bucket.take(now):
            times.append(now)
    return times


def most_over_promise(times: list[float], rate: float, burst: float) -> float:
    """By how much the worst of all windows exceeds `burst + rate * window`; negative while the promise holds."""
    worst = float("-inf")
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            worst = max(worst, (last - first + 1) - burst - rate * (times[last] - begin))
    return worst


@given(rates, bursts, st.lists(pauses, max_size=80))
def test_no_window_ever_holds_more_than_burst_and_rate(rate: float, burst: float, waits: list[float]) -> None:
    times = taken(Bucket(rate, burst, empty_at=5.0), 5.0, waits)
    assert most_over_promise(times, rate, burst) <= ROUNDING * rate + ROUNDING


@given(rates, bursts, st.lists(st.tuples(pauses, st.lists(pauses, max_size=20)), min_size=1, max_size=6))
def test_the_promise_holds_over_moves_between_owners(
    rate: float, burst: float, owners: list[tuple[float, list[float]]]
) -> None:
    now, times = 0.0, []
    for gap, waits in owners:
        now += gap
        times += taken(Bucket(rate, burst, empty_at=now), now, waits)
        now += sum(waits)
    assert most_over_promise(times, rate, burst) <= ROUNDING * rate + ROUNDING


@given(st.lists(st.tuples(rates, bursts, st.lists(pauses, max_size=20)), min_size=1, max_size=6))
def test_over_changes_of_rate_no_more_leaves_than_each_rate_earned(
    spans: list[tuple[float, float, list[float]]],
) -> None:
    now, count, earned = 0.0, 0, max(burst for _, burst, _ in spans)
    bucket = Bucket(spans[0][0], spans[0][1], empty_at=now)
    for rate, burst, waits in spans:
        bucket.change(rate, burst, now)
        count += len(taken(bucket, now, waits))
        now += sum(waits)
        earned += rate * sum(waits)
    assert count <= earned * (1 + ROUNDING) + ROUNDING


@given(rates, bursts)
def test_asked_at_each_due_time_it_gives_the_full_rate(rate: float, burst: float) -> None:
    bucket = Bucket(rate, burst, empty_at=0.0)
    for n in range(1, 200):
        due = bucket.due
        assert due == pytest.approx(n / rate)
        assert bucket.take(due)


def test_a_taken_bucket_starts_empty() -> None:
    bucket = Bucket(rate=8, burst=5, empty_at=100.0)
    assert not bucket.take(100.12)
    assert bucket.take(100.125)


def test_a_stall_earns_the_burst_and_no_more() -> None:
    bucket = Bucket(rate=8, burst=5, empty_at=0.0)
    assert [bucket.take(1_000.0) for _ in range(7)] == [True] * 5 + [False] * 2


def test_a_higher_rate_counts_from_its_change_on() -> None:
    bucket = Bucket(rate=1, burst=1, empty_at=0.0)
    bucket.change(rate=10, burst=2, now=0.5)
    assert bucket.due == pytest.approx(0.55)


def test_tokens_at_hand_are_cut_to_a_smaller_burst() -> None:
    bucket = Bucket(rate=8, burst=8, empty_at=0.0)
    bucket.change(rate=8, burst=2, now=100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]
