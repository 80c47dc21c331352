"""A history of any length fits into 600 points."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from campaign_svc.insight.resolution import MOST_POINTS, following, resolution


def test_the_first_ten_minutes_have_a_point_each_second() -> None:
    assert [following(None), following(0), following(1), following(597)] == [0, 1, 2, 598]
    assert resolution(598) == 1


def test_a_full_history_goes_on_at_half_the_resolution() -> None:
    assert (following(598), resolution(600), following(600)) == (600, 2, 602)


@given(st.integers(0, 10**9))
def test_what_is_kept_and_the_present_are_never_more_than_600_points(number: int) -> None:
    kept = number // resolution(number) + 1
    assert kept + 1 <= MOST_POINTS


@given(st.integers(300, 10**9))
def test_a_long_history_is_never_thinner_than_half_of_that(number: int) -> None:
    assert number // resolution(number) + 1 >= MOST_POINTS // 2


@given(st.integers(0, 10**9))
def test_a_new_point_is_always_one_of_those_that_stay(number: int) -> None:
    after = following(number)
    assert after > number
    assert after % resolution(after) == 0


def test_a_year_of_points_one_after_the_other_stays_within_600() -> None:
    kept = [following(None)]
    while kept[-1] < 365 * 86_400:
        kept.append(following(kept[-1]))
        kept = [n for n in kept if n % resolution(kept[-1]) == 0]
        assert len(kept) < MOST_POINTS
    assert {later - earlier for earlier, later in pairwise(kept)} == {resolution(kept[-1])}
