"""What a run has measured: a name, a number, its unit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Figures:
    """In the order in which they were taken."""

    def __init__(self) -> None:
        self._taken: list[tuple[str, float, str]] = []

    def note(self, name: str, number: float, unit: str) -> None:
        self._taken.append((name, number, unit))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Seconds that the block takes."""
        since = time.monotonic()
        yield
        self.note(name, time.monotonic() - since, "s")

    def table(self) -> str:
        lines = [f"  {name:<44}{number:>9.1f} {unit}" for name, number, unit in self._taken]
        return "\n".join(["", "measured:", *lines])
