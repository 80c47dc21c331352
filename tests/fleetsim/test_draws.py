"""Chance that can be repeated: the same words, the same numbers."""

import pytest

from fleetsim.draws import LogNormal, draws, is_spread, read_spread, value


def test_same_words_draw_the_same_numbers_and_others_other_ones() -> None:
    assert draws(1, "d1", "x") == draws(1, "d1", "x")
    assert draws(1, "d1", "x") != draws(2, "d1", "x")
    assert len(set(draws("anything"))) == 8


def test_draws_are_spread_evenly() -> None:
    numbers = [number for word in range(1000) for number in draws(word)]
    assert all(0 <= number < 1 for number in numbers)
    assert 0.49 < sum(numbers) / len(numbers) < 0.51
    assert 0.23 < sum(number < 0.25 for number in numbers) / len(numbers) < 0.27


def test_spreads_are_read_as_written() -> None:
    assert read_spread("2") == (2, 2)
    assert read_spread("0.5..3") == (0.5, 3)
    assert read_spread("20~0.5") == LogNormal(20, 0.5)
    assert read_spread("20k..1.5M") == (20_000, 1_500_000)


@pytest.mark.parametrize("text", ["", "soon", "1..", "..2", "1~", "~", "k", "1..2..3", "nan..1", "inf"])
def test_anything_else_is_no_spread(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        read_spread(text)


@pytest.mark.parametrize("spread", [(2, 1), (-1, 1), LogNormal(-1, 1), LogNormal(1, -1), LogNormal(1, 9)])
def test_spread_that_makes_no_sense_is_known(spread: tuple[float, float] | LogNormal) -> None:
    assert not is_spread(spread)


def test_log_normal_keeps_within_what_one_in_ten_thousand_exceeds() -> None:
    spread = LogNormal(10, 1)
    assert value(spread, 0.5) == pytest.approx(10)
    assert 0 < value(spread, 0.0) < value(spread, 0.9999999) < 10 * 2.72**4
