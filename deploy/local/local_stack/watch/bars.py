"""Counts as bars and words, each state in its colour."""

from collections.abc import Iterable, Mapping

from rich.columns import Columns
from rich.text import Text

from local_stack.watch.reading import STATUSES

COLOURS = {
    "PENDING": "grey37",
    "QUEUED": "grey62",
    "DISPATCHED": "cyan",
    "DOWNLOADING": "blue",
    "INSTALLING": "magenta",
    "SUCCESS": "green",
    "FAILED": "red",
    "SKIPPED": "yellow",
}


def stacked(counts: Mapping[str, int], width: int) -> Text:
    """One cell of the right colour for each share of the devices."""
    text = Text()
    for status, cells in zip(STATUSES, apportion([counts[status] for status in STATUSES], width), strict=True):
        text.append("█" * cells, COLOURS[status])
    return text


def legend(counts: Mapping[str, int]) -> Columns:
    """The numbers in words, each in its colour."""
    words = [Text.assemble(("■ ", COLOURS[status]), f"{status.lower()} {counts[status]:,}") for status in STATUSES]
    return Columns(words, padding=(0, 2))


def words(counts: Mapping[str, int]) -> str:
    """The numbers that are not zero, in words."""
    return ", ".join(f"{status.lower()} {counts[status]:,}" for status in STATUSES if counts[status])


def filled(share: float, width: int, colour: str) -> Text:
    """A bar that is full at share 1, with the line that is not to be reached behind it."""
    cells = round(width * min(1.0, max(0.0, share)))
    return Text.assemble(("█" * cells, colour), ("░" * (width - cells), "grey37"), ("┃", "red"))


def apportion(counts: Iterable[int], width: int) -> list[int]:
    """Parts of a bar of `width` cells; whoever has a device is seen, and the bar is full (all zero: empty)."""
    values = list(counts)
    total = sum(values)
    if total == 0:
        return [0] * len(values)
    cells = [max(1, width * value // total) if value else 0 for value in values]
    while (rest := width - sum(cells)) != 0:
        exact = [width * value / total - cell for value, cell in zip(values, cells, strict=True)]
        change = 1 if rest > 0 else -1
        best = max((i for i, cell in enumerate(cells) if cell > 1 or change > 0), key=lambda i: change * exact[i])
        cells[best] += change
    return cells
