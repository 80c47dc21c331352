"""Commands against the promise of their rate: pure."""

from collections.abc import Sequence

from tests.chaos.history import Written

ROUNDING = 1e-6


def is_kept(written: Sequence[Written], rate: float, burst: float) -> bool:
    """Whether no window has more than `burst + rate * window` commands.

    Each was written between its `earliest` and its `at`; only what breaks the promise whenever that was counts.
    """
    least = float("inf")
    for number, line in enumerate(written):
        least = min(least, number - rate * line.earliest)
        if number + 1 - rate * line.at - least > burst + ROUNDING:
            return False
    return True


def quickest(written: Sequence[Written], intervals: int) -> float:
    """How many seconds passed over so many intervals between commands, where they followed quickest."""
    return min(last.at - first.at for first, last in zip(written, written[intervals:], strict=False))
