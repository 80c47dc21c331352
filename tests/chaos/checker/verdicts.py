"""The ten guarantees, each decided over a recorded history: it holds, or this is the shortest piece that breaks it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.chaos.checker import commands, rows, whole, words
from tests.chaos.checker.breach import Breach
from tests.chaos.checker.story import Story
from tests.chaos.history import Line, Looked

Check = Callable[[Story], Iterable[Breach]]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """`checks` find what breaks it."""

    number: int
    text: str
    checks: tuple[Check, ...]


GUARANTEES = (
    Guarantee(1, "every device of an ended campaign is SUCCESS, FAILED or SKIPPED", (rows.forgotten,)),
    Guarantee(2, "counters equal the rows", (rows.miscounted,)),
    Guarantee(3, "no command 250 ms after a pause or abort was answered", (commands.after_a_pause,)),
    Guarantee(4, "no window above the rate and the bursts", (commands.too_fast,)),
    Guarantee(5, "no report is lost", (words.lost,)),
    Guarantee(6, "one active update per device", (rows.twice_active, commands.two_at_once)),
    Guarantee(7, "a finished row never changes", (rows.reopened,)),
    Guarantee(8, "commands are the same to the byte, and acted on once", (commands.different, commands.acted_wrongly)),
    Guarantee(9, "no tenant reaches another", (words.trespassed,)),
    Guarantee(10, "all comes right again", (whole.unannounced, whole.not_recovered, whole.unended)),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`breaches`: how often; `shortest`: of these the one that needs the fewest lines to be seen."""

    guarantee: Guarantee
    breaches: int
    shortest: Breach | None

    @property
    def holds(self) -> bool:
        return self.shortest is None

    def __str__(self) -> str:
        name = f"{self.guarantee.number}. {self.guarantee.text}"
        return f"{name}: holds" if self.holds else f"{name}: broken {self.breaches} times\n{self.shortest}"


def check(lines: Iterable[Line], observed: float = 0.0) -> list[Verdict]:
    """All ten. `observed`: by so many seconds commands may be seen closer together than they were written.

    Raises ValueError for a history in which nobody looked at the rows: it could not show a breach.
    """
    story = Story(list(lines))
    if not story.of(Looked):
        raise ValueError("nobody looked at the rows")
    story.observed = observed
    return [_decide(story, guarantee) for guarantee in GUARANTEES]


def _decide(story: Story, guarantee: Guarantee) -> Verdict:
    breaches = [breach for find in guarantee.checks for breach in find(story)]
    return Verdict(guarantee, len(breaches), min(breaches, key=lambda breach: len(breach.lines), default=None))


def broken(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """What is broken, for people."""
    return (str(verdict) for verdict in verdicts if not verdict.holds)
