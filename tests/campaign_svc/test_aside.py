"""Which campaigns are left alone after an unexpected error, and for how long."""

from campaign_svc.engine.aside import Aside


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_pauses_double_up_to_a_minute() -> None:
    aside = Aside(Clock())
    assert [aside.put(7) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_campaign_is_aside_only_while_its_pause_lasts() -> None:
    clock = Clock()
    aside = Aside(clock)
    aside.put(7)
    assert 7 in aside
    assert 8 not in aside
    clock.now += 1
    assert 7 not in aside
    assert len(aside) == 1, "it has not gone well yet"


def test_after_a_tick_that_went_well_the_next_pause_is_short_again() -> None:
    aside = Aside(Clock())
    for _ in range(5):
        aside.put(7)
    aside.release(7)
    assert len(aside) == 0
    assert aside.put(7) == 1


def test_campaigns_that_are_over_are_forgotten() -> None:
    aside = Aside(Clock())
    aside.put(7)
    aside.put(8)
    aside.keep_only([8])
    assert 7 not in aside
    assert len(aside) == 1
