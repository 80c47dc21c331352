"""Pace, slowness and the forecast of the end, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_svc.insight.forecast import Ahead, Slot, actual_rate, eta, is_slow, throughput

NOW = datetime(2026, 11, 24, 12, 0, 3, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_a_steady_pace_is_measured_over_the_last_minute() -> None:
    # 12:00:03: the slot at hand has had three of its five seconds.
    steady = [Slot(ago(3), 30), *(Slot(ago(3 + 5 * n), 50) for n in range(1, 16))]
    assert actual_rate(steady, LONG_AGO, NOW) == pytest.approx(600)


def test_what_went_out_longer_ago_does_not_count() -> None:
    assert actual_rate([Slot(ago(68), 1000), Slot(ago(73), 1000)], LONG_AGO, NOW) == 0


def test_a_campaign_that_began_half_a_minute_ago_is_measured_since_then() -> None:
    assert actual_rate([Slot(ago(3 + 5 * n), 50) for n in range(6)], ago(30), NOW) == pytest.approx(600, rel=0.01)


def test_the_first_command_is_no_pace_of_thousands() -> None:
    assert actual_rate([Slot(ago(3), 1)], ago(0.1), NOW) == pytest.approx(6)


@given(st.lists(st.integers(0, 10_000), max_size=16), st.floats(0, 7200))
def test_a_pace_is_never_negative_and_never_more_than_all_of_it_in_ten_seconds(sent: list[int], since: float) -> None:
    rate = actual_rate([Slot(ago(3 + 5 * n), count) for n, count in enumerate(sent)], ago(since), NOW)
    assert 0 <= rate <= sum(sent) * 6 + 1e-6


@pytest.mark.parametrize(
    ("rate", "actual", "minutes", "slow"),
    [
        (600, 480, 5, False),
        (600, 478, 5, True),
        (600, 0, 0.9, False),
        (600, 0, 1, True),
        (1, 0, 60, False),
        (2, 0, 60, True),
    ],
)
def test_slow_is_below_80_percent_for_a_minute_to_one_device(
    rate: float, actual: float, minutes: float, slow: bool
) -> None:
    assert is_slow(rate, actual, timedelta(minutes=minutes)) is slow


def test_the_end_of_one_stage_is_what_waits_at_the_present_pace() -> None:
    assert eta(NOW, 2.0, [Ahead(120, 10.0, 0)], None) == NOW + timedelta(seconds=60)


def test_later_stages_go_at_their_own_rate_after_the_gates_least_times() -> None:
    stages = [Ahead(10, 1.0, 900), Ahead(100, 5.0, 60), Ahead(1000, 10.0, 0)]
    assert eta(NOW, 1.0, stages, None) == NOW + timedelta(seconds=10 + 900 + 20 + 60 + 100)


def test_a_soak_that_runs_already_runs_beside_what_still_goes_out() -> None:
    assert eta(NOW, 1.0, [Ahead(10, 1.0, 300, soaking=True), Ahead(10, 1.0, 0)], None) == ago(-310)


def test_a_soaking_stage_with_nothing_left_needs_no_pace() -> None:
    assert eta(NOW, 0.0, [Ahead(0, 1.0, 300, soaking=True), Ahead(10, 1.0, 0)], None) == ago(-310)


def test_a_limit_of_devices_in_flight_slows_later_stages_too() -> None:
    assert throughput(50, 100, 4.0) == 2.0
    assert eta(NOW, 4.0, [Ahead(4, 4.0, 0), Ahead(20, 10.0, 0)], 2.0) == ago(-11)


def test_without_a_limit_or_a_pace_nothing_is_known_of_one() -> None:
    assert throughput(None, 100, 4.0) is None
    assert throughput(50, 0, 4.0) is None
    assert throughput(50, 100, 0.0) is None


def test_there_is_no_end_when_nothing_waits_or_nothing_moves() -> None:
    assert eta(NOW, 1.0, [Ahead(0, 1.0, 900), Ahead(0, 1.0, 0)], None) is None
    assert eta(NOW, 0.0, [Ahead(1, 1.0, 0)], None) is None


def test_a_gate_after_the_last_device_does_not_move_the_end() -> None:
    assert eta(NOW, 1.0, [Ahead(10, 1.0, 900), Ahead(0, 1.0, 0)], None) == ago(-10)
