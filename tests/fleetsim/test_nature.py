"""Fleets are drawn from a seed: shares come out as asked, and the same seed gives the same fleet."""

from typing import Any

import pytest

from fleetsim.draws import LogNormal
from fleetsim.nature import Behaviour, Failure, Fate, Nature
from fleetsim.wire import Report
from tests.fleetsim.test_device import command


def fleet(behaviour: Behaviour, devices: int = 4000) -> list[Nature]:
    return [Nature(behaviour, f"acme/device/d{number}") for number in range(devices)]


def test_share_of_failing_devices_is_as_asked_and_every_kind_occurs() -> None:
    failures = [nature.failure(2) for nature in fleet(Behaviour(fail=0.3))]
    assert 0.27 < sum(failure is not None for failure in failures) / len(failures) < 0.33
    assert set(failures) == {None, *Failure}


def test_flaky_device_fails_once_and_failing_device_every_time() -> None:
    [flaky], [failing] = fleet(Behaviour(flaky=1.0), 1), fleet(Behaviour(fail=1.0), 1)
    assert flaky.failure(1) is not None
    assert flaky.failure(2) is None
    assert failing.failure(1) is failing.failure(2) is failing.failure(9) is not None


def test_kind_that_is_named_more_often_is_drawn_more_often() -> None:
    drawn = [
        nature.failure(1) for nature in fleet(Behaviour(fail=1.0, failures=(*3 * (Failure.INSTALL,), Failure.SILENCE)))
    ]
    assert 0.72 < drawn.count(Failure.INSTALL) / len(drawn) < 0.78


def test_failures_are_of_the_kinds_asked_for() -> None:
    only = Behaviour(fail=1.0, failures=(Failure.SILENCE,))
    assert {nature.failure(1) for nature in fleet(only, 50)} == {Failure.SILENCE}


def test_same_seed_gives_the_same_fleet_and_another_seed_another() -> None:
    def fates(seed: int, *, backwards: bool = False) -> list[Fate]:
        devices = fleet(Behaviour(fail=0.5, seed=seed), 100)
        drawn = [nature.fate(command()) for nature in (reversed(devices) if backwards else devices)]
        return [*reversed(drawn)] if backwards else drawn

    assert fates(7) == fates(7) == fates(7, backwards=True)
    assert fates(7) != fates(8)


def test_each_attempt_draws_its_own_times_and_a_repeat_the_same() -> None:
    [nature] = fleet(Behaviour(), 1)
    assert nature.fate(command(attempt=1)) == nature.fate(command(attempt=1, minute=5))
    assert nature.fate(command(attempt=1)).download != nature.fate(command(attempt=2)).download


def test_times_lie_within_their_spans() -> None:
    [nature] = fleet(Behaviour(download_seconds=(2, 3), install_seconds=(5, 5)), 1)
    fates = [nature.fate(command(attempt=attempt)) for attempt in range(1, 100)]
    assert all(2 <= fate.download <= 3 and fate.install == 5 for fate in fates)


def test_bandwidth_and_size_make_the_time_of_a_download() -> None:
    [nature] = fleet(Behaviour(bandwidth=(100, 100), size=(500, 500), fetch=0), 1)
    fate = nature.fate(command())
    assert (fate.size, fate.download, fate.is_fetched) == (500, 5.0, False)


def test_real_download_has_the_size_that_the_command_says() -> None:
    [nature] = fleet(Behaviour(bandwidth=(5, 5), size=(500, 500), fetch=1), 1)
    assert (nature.fate(command()).size, nature.fate(command()).download) == (10, 2.0)


def test_log_normal_times_have_their_median_and_a_tail() -> None:
    times = sorted(nature.fate(command()).install for nature in fleet(Behaviour(install_seconds=LogNormal(10, 1))))
    assert 9 < times[2000] < 11
    assert 20 < times[3365] < 35


def test_share_of_reports_that_are_late_or_sent_twice_is_as_asked() -> None:
    carried = [
        nature.carriage(Report(7, "SUCCESS", attempt=1)) for nature in fleet(Behaviour(duplicates=0.2, late=0.1))
    ]
    assert 0.17 < sum(twice for twice, _ in carried) / 4000 < 0.23
    late = [seconds for _, seconds in carried if seconds]
    assert 0.08 < len(late) / 4000 < 0.12
    assert all(1 <= seconds <= 10 for seconds in late)


def test_storm_hits_its_share_of_the_devices_and_the_next_one_others() -> None:
    devices = fleet(Behaviour(storm_every=60, storm_share=0.3))
    first, second = ([nature.struck(storm) for nature in devices] for storm in (0, 1))
    assert 0.27 < sum(seconds is not None for seconds in first) / 4000 < 0.33
    assert [s is None for s in first] != [s is None for s in second]
    assert all(0.5 <= seconds <= 2 for seconds in first if seconds is not None)


@pytest.mark.parametrize("failure", Failure)
def test_updates_that_fail_may_take_another_time_than_those_that_succeed(failure: Failure) -> None:
    times: dict[str, Any] = {"download_seconds": (2, 2), "install_seconds": (4, 4), "fail_seconds": (1, 1)}
    [good], [bad] = (fleet(Behaviour(fail=fail, failures=(failure,), **times), 1) for fail in (0, 1))
    fate, failing = good.fate(command()), bad.fate(command())
    assert (fate.failure, fate.download, fate.install) == (None, 2, 4)
    assert (failing.failure, failing.download + failing.install) == (failure, 1)


def test_backoff_doubles_up_to_its_limit() -> None:
    [nature] = fleet(Behaviour(), 1)
    for tries, middle in ((0, 0.5), (1, 1), (3, 4), (50, 30)):
        assert 0.8 * middle <= nature.backoff(tries) <= 1.2 * middle


def test_devices_are_away_for_the_share_of_time_asked_for() -> None:
    spells = [nature.spell(number) for nature in fleet(Behaviour(offline=0.2), 300) for number in range(20)]
    online, away = (sum(seconds) for seconds in zip(*spells, strict=True))
    assert 0.18 < away / (online + away) < 0.22
    assert all(3 <= seconds <= 10 for _, seconds in spells)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fail": 1.5}, "fail is a share"),
        ({"flaky": -0.1}, "flaky is a share"),
        ({"fail": 0.6, "flaky": 0.6}, "together"),
        ({"offline": 1.0}, "offline is a share"),
        ({"download_seconds": (3, 1)}, "download_seconds goes from"),
        ({"fail_seconds": (-1, 1)}, "fail_seconds goes from"),
        ({"fail": 0.1, "failures": ()}, "kind of failure"),
        ({"late": 2}, "late is a share"),
        ({"bandwidth": (0, 1)}, "more than 0 bytes"),
        ({"install_seconds": LogNormal(1, 9)}, "install_seconds goes from"),
        ({"progress_percent": 0}, "progress_percent is"),
        ({"storm_share": 0.5}, "storms need both"),
        ({"storm_every": 60}, "storms need both"),
    ],
)
def test_contradictory_behaviour_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Behaviour(**wrong)
