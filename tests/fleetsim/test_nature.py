"""Fleets are drawn from a seed: shares come out as asked, and the same seed gives the same fleet."""

from itertools import islice
from typing import Any

import pytest

from fleetsim.nature import Behaviour, Failure, Nature, Times


def fleet(behaviour: Behaviour, devices: int = 4000) -> list[Nature]:
    return [Nature(behaviour, f"acme/device/d{number}") for number in range(devices)]


def test_share_of_failing_devices_is_as_asked_and_every_kind_occurs() -> None:
    failures = [nature.failure(attempt=2) for nature in fleet(Behaviour(fail=0.3))]
    assert 0.27 < sum(failure is not None for failure in failures) / len(failures) < 0.33
    assert set(failures) == {None, *Failure}


def test_flaky_device_fails_once_and_failing_device_every_time() -> None:
    [flaky], [failing] = fleet(Behaviour(flaky=1.0), 1), fleet(Behaviour(fail=1.0), 1)
    assert flaky.failure(1) is not None
    assert flaky.failure(2) is None
    assert failing.failure(1) is failing.failure(2) is failing.failure(9) is not None


def test_failures_are_of_the_kinds_asked_for() -> None:
    only = Behaviour(fail=1.0, failures=(Failure.SILENCE,))
    assert {nature.failure(1) for nature in fleet(only, 50)} == {Failure.SILENCE}


def test_same_seed_gives_the_same_fleet_and_another_seed_another() -> None:
    def fates(seed: int) -> list[Failure | None]:
        return [nature.failure(1) for nature in fleet(Behaviour(fail=0.5, seed=seed), 100)]

    assert fates(7) == fates(7)
    assert fates(7) != fates(8)


def test_times_lie_within_their_spans() -> None:
    [nature] = fleet(Behaviour(download_seconds=(2, 3), install_seconds=(5, 5)), 1)
    assert all(2 <= nature.times(None).download <= 3 for _ in range(100))
    assert nature.times(Failure.INSTALL).install == 5


@pytest.mark.parametrize("failure", Failure)
def test_updates_that_fail_may_take_another_time_than_those_that_succeed(failure: Failure) -> None:
    [nature] = fleet(Behaviour(download_seconds=(2, 2), install_seconds=(4, 4), fail_seconds=(1, 1)), 1)
    assert nature.times(None) == Times(download=2, install=4)
    failing = nature.times(failure)
    assert failing.download + failing.install == 1


def test_backoff_doubles_up_to_its_limit() -> None:
    [nature] = fleet(Behaviour(), 1)
    for tries, middle in ((0, 0.5), (1, 1), (3, 4), (50, 30)):
        assert 0.8 * middle <= nature.backoff(tries) <= 1.2 * middle


def test_devices_are_away_for_the_share_of_time_asked_for() -> None:
    spells = [spell for nature in fleet(Behaviour(offline=0.2), 300) for spell in islice(nature.spells(), 20)]
    online, away = (sum(seconds) for seconds in zip(*spells, strict=True))
    assert 0.18 < away / (online + away) < 0.22
    assert all(3 <= seconds <= 10 for _, seconds in spells)


def test_device_of_a_fleet_without_spells_is_always_there() -> None:
    [nature] = fleet(Behaviour(), 1)
    assert list(nature.spells()) == []


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
    ],
)
def test_contradictory_behaviour_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Behaviour(**wrong)
