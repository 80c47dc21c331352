"""Quantiles as a service level names them: a value that was really measured."""

from collections.abc import Sequence
from math import ceil


def share(values: Sequence[float], part: float) -> float:
    """The least of the values that at least `part` (0–1) of all do not exceed."""
    return sorted(values)[max(0, ceil(part * len(values)) - 1)]
