"""All models: what must hold, the errors that must be found, and what takes minutes."""

from collections.abc import Iterable

from tests.model import control, finish, merging, offsets, pacing
from tests.model.life import cases as life
from tests.model.suite import Case

MODELS = {
    "life": life,
    "control": control,
    "pacing": pacing,
    "merging": merging,
    "finish": finish,
    "offsets": offsets,
}


def _named(cases: dict[str, Iterable[Case]]) -> list[tuple[str, Case]]:
    return [(name, case) for name, found in cases.items() for case in found]


HOLDS = _named({name: model.HOLDS for name, model in MODELS.items()})
SEEDED = _named({name: model.SEEDED for name, model in MODELS.items()})
LONG = _named({"life": life.LONG, "merging": merging.LONG})
