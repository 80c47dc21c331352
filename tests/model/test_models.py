"""The protocol holds in every state of small models that use the product's own rules; errors seeded there are found."""

import pytest

from tests.model.explore import STUCK, explore, told
from tests.model.offsets import Partition
from tests.model.suite import Case
from tests.model.suites import HOLDS, SEEDED


def _ids(cases: list[tuple[str, Case]]) -> list[str]:
    return [f"{model}, {case.name}" for model, case in cases]


@pytest.mark.parametrize(("model", "case"), HOLDS, ids=_ids(HOLDS))
def test_nothing_breaks_in_any_state_of(model: str, case: Case) -> None:
    found = case.explored()
    assert found.complete
    assert not found.broken, "\n".join(f"{what}\n{told(trace)}" for what, trace in found.broken.items())


@pytest.mark.parametrize(("model", "case"), SEEDED, ids=_ids(SEEDED))
def test_the_model_finds_out_that(model: str, case: Case) -> None:
    found = case.explored()
    assert case.breaks in found.broken, f"{found.states} states, broken: {list(found.broken)}"


def test_traces_are_shortest_and_a_search_that_was_cut_off_says_nothing_of_liveness() -> None:
    whole = explore(Partition(highest=True))
    [(label, _), *steps] = whole.broken["1: a request is passed over"]
    assert (label, len(steps)) == ("start", 2)
    part = explore(Partition(), most=20)
    assert not part.complete
    assert STUCK not in part.broken
