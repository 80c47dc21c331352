"""Offsets are committed only up to the first that is not settled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher_svc.watermark import Watermark


def test_nothing_can_be_committed_before_reading_has_begun() -> None:
    assert Watermark().position is None


def test_a_partition_without_requests_commits_where_it_began() -> None:
    watermark = Watermark()
    watermark.begin(17)
    assert watermark.position == 17


def test_beginning_comes_too_late_once_something_was_read() -> None:
    watermark = Watermark()
    watermark.read(20)
    watermark.begin(17)
    assert watermark.position == 20


def test_the_first_unsettled_request_holds_all_behind_it() -> None:
    watermark = Watermark()
    for offset in (5, 6, 7):
        watermark.read(offset)
    watermark.settle(6)
    watermark.settle(7)
    assert (watermark.position, watermark.unsettled) == (5, 1)
    watermark.settle(5)
    assert (watermark.position, watermark.unsettled) == (8, 0)


def test_settling_twice_is_an_error() -> None:
    watermark = Watermark()
    watermark.read(1)
    watermark.settle(1)
    with pytest.raises(KeyError):
        watermark.settle(1)


@given(st.sets(st.integers(0, 60), min_size=1), st.randoms())
def test_it_is_always_the_least_unsettled_offset_or_the_next_to_read(offsets: set[int], chance: object) -> None:
    watermark, order = Watermark(), sorted(offsets)
    for offset in order:
        watermark.read(offset)
    rest = set(order)
    chance.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    for offset in order:
        assert watermark.position == min(rest)
        watermark.settle(offset)
        rest.remove(offset)
    assert watermark.position == max(offsets) + 1
