"""What a check finds: a sentence, and the shortest piece of history that shows it."""

from typing import NamedTuple

from tests.chaos.history import Line, write


class Breach(NamedTuple):
    """`lines`: in the order in which they happened."""

    sentence: str
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return "\n".join([self.sentence, *("   " + write(line).decode().strip() for line in self.lines)])
