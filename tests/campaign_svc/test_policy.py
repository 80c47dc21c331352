"""How many devices are released, and when a firmware is bad enough: tables and properties."""

from math import ceil, inf, isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_svc.engine.policy import (
    AbortPolicy,
    AbortRule,
    Limits,
    Outcomes,
    abort_at,
    e_value,
    log_e,
    must_abort,
    releases,
)


def released(**given_: float | None) -> int:
    given_ = {"rate": 10.0, "look_ahead": 5.0, "queued": 0, "active": 0, "limit": None} | given_
    return releases(**given_)  # type: ignore[arg-type]  # the table's values are of several types


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ({}, 50),
        ({"queued": 20, "active": 20}, 30),
        ({"queued": 60, "active": 60}, 0),
        ({"rate": 10_000.0}, 50_000),
        ({"rate": 1 / 60}, 1),
        ({"rate": 1 / 60, "queued": 1, "active": 1}, 0),
        ({"limit": 7}, 7),
        ({"limit": 7, "active": 5}, 2),
        ({"limit": 7, "active": 9}, 0),
        ({"rate": 1 / 60, "limit": 1}, 1),
        ({"limit": 100, "active": 70, "queued": 45}, 5),
    ],
)
def test_the_look_ahead_is_filled_within_the_limit_in_flight(given_: dict[str, float], wanted: int) -> None:
    assert released(**given_) == wanted


@given(
    rate=st.floats(1 / 60, 10_000),
    queued=st.integers(0, 100_000),
    at_work=st.integers(0, 100_000),
    limit=st.none() | st.integers(1, 1_000_000),
)
def test_what_is_released_exceeds_neither_look_ahead_nor_limit(
    rate: float, queued: int, at_work: int, limit: int | None
) -> None:
    active = queued + at_work
    n = releases(rate=rate, look_ahead=5.0, queued=queued, active=active, limit=limit)
    assert n >= 0
    assert n == 0 or queued + n <= ceil(rate * 5.0)
    assert n == 0 or limit is None or active + n <= limit
    if queued == 0 and (limit is None or active < limit):
        assert n >= 1, "both allow one"


@pytest.mark.parametrize(
    ("limits", "succeeded", "failing", "wanted"),
    [
        (Limits(None, None, 1), 1000, 50, None),
        (Limits(50, None, 1), 1000, 50, 50),
        (Limits(None, 10, 0.5), 0, 0, 10),
        (Limits(None, 10, 0.5), 3, 0, 11),
        (Limits(None, 10, 0), 1000, 0, 10),
        (Limits(20, 10, 1), 5, 0, 15),
        (Limits(20, 10, 1), 500, 0, 20),
        (Limits(None, 10, 0.5), 0, 4, 6),
        (Limits(None, 10, 0.5), 20, 4, 16),
        (Limits(20, 10, 1), 500, 30, 20),
        (Limits(None, 10, 0), 1000, 10, 1),
        (Limits(None, 10, 0.5), 0, 500, 1),
        (Limits(None, 10, 0.05), 1000, 60, 51),
    ],
)
def test_the_ramp_grows_with_what_has_succeeded_and_failing_devices_keep_their_place(
    limits: Limits, succeeded: int, failing: int, wanted: int | None
) -> None:
    assert limits.in_flight(succeeded, failing) == wanted


def ratio(threshold: float = 0.1, min_devices: int = 1) -> AbortPolicy:
    return AbortPolicy(AbortRule.RATIO, threshold, min_devices, 0.95)


def sequential(threshold: float = 0.1, confidence: float = 0.95) -> AbortPolicy:
    return AbortPolicy(AbortRule.SEQUENTIAL, threshold, 1, confidence)


def finished(succeeded: int, failed: int) -> Outcomes:
    return Outcomes(succeeded, failed, succeeded + failed, failed)


@pytest.mark.parametrize(
    ("policy", "succeeded", "failed", "stops"),
    [
        (ratio(), 0, 0, False),
        (ratio(), 0, 1, True),
        (ratio(), 9, 1, False),
        (ratio(), 8, 1, True),
        (ratio(0.3), 7, 3, False),
        (ratio(0), 1000, 1, True),
        (ratio(1), 0, 1000, False),
        (ratio(min_devices=100), 0, 99, False),
        (ratio(min_devices=100), 0, 100, True),
        (ratio(min_devices=100), 90, 10, False),
    ],
)
def test_the_ratio_of_finished_devices_must_exceed_the_threshold(
    policy: AbortPolicy, succeeded: int, failed: int, stops: bool
) -> None:
    assert must_abort(policy, finished(succeeded, failed)) is stops


@pytest.mark.parametrize(
    ("policy", "dispatched", "failing", "stops"),
    [
        (sequential(), 0, 0, False),
        (sequential(), 3, 3, True),
        (sequential(), 2, 2, False),
        (sequential(), 1000, 100, False),
        (sequential(), 1000, 150, True),
        (sequential(0), 1000, 0, False),
        (sequential(0), 1000, 1, True),
        (sequential(1), 1000, 1000, False),
    ],
)
def test_the_sequential_rule_needs_evidence(policy: AbortPolicy, dispatched: int, failing: int, stops: bool) -> None:
    assert must_abort(policy, Outcomes(0, 0, dispatched, failing)) is stops


def test_devices_at_work_count_as_not_failed() -> None:
    assert must_abort(sequential(), Outcomes(0, 0, 3, 3))
    assert not must_abort(sequential(), Outcomes(0, 0, 100, 3))


@given(n=st.integers(0, 5000), s=st.integers(0, 5000), p0=st.floats(0.001, 0.999))
def test_more_failures_of_as_many_devices_are_more_evidence(n: int, s: int, p0: float) -> None:
    s = min(s, n)
    assert log_e(n, min(s + 1, n), p0) >= log_e(n, s, p0)


@given(n=st.integers(0, 300), p0=st.floats(0.01, 0.99))
def test_a_device_more_leaves_the_evidence_as_it_was_on_average(n: int, p0: float) -> None:
    """The mark of a fair bet against the firmware, from which the guarantee follows (Ville)."""
    for s in {0, n // 3, n}:
        before = e_value(n, s, p0)
        after = p0 * e_value(n + 1, s + 1, p0) + (1 - p0) * e_value(n + 1, s, p0)
        assert before > 1e250 or isclose(before, after, rel_tol=1e-9)


@given(
    policy=st.builds(
        AbortPolicy, st.sampled_from(AbortRule), st.floats(0, 1), st.integers(1, 300), st.floats(0.5, 0.9999)
    ),
    succeeded=st.integers(0, 2000),
    failed=st.integers(0, 400),
)
def test_abort_at_is_the_least_number_of_failures_that_stops(policy: AbortPolicy, succeeded: int, failed: int) -> None:
    seen = finished(succeeded, failed)

    def stops(failures: int) -> bool:
        return must_abort(policy, Outcomes(succeeded, failures, seen.dispatched, failures))

    at = abort_at(policy, seen)
    if at is None:
        assert not stops(seen.dispatched if policy.rule is AbortRule.SEQUENTIAL else 10_000_000)
    else:
        assert stops(at)
        assert at == 1 or not stops(at - 1)


def test_the_evidence_never_overflows() -> None:
    assert e_value(1_000_000, 1_000_000, 0.001) < inf
    assert e_value(1_000_000, 0, 0.999) >= 0
    assert log_e(1_000_000, 100_000, 0.1) < log(20)
