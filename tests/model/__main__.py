"""All models with all their cases, the long ones too: `make models`, or `make models ONLY=control`."""

import sys
import time

from rich.console import Console
from rich.table import Table

from tests.model.explore import told
from tests.model.suite import Case
from tests.model.suites import HOLDS, LONG, MODELS, SEEDED


def main(only: str) -> int:
    """The exit status: 0 when each case is as expected."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    if only and only not in MODELS:
        console.print(f"ONLY={only}: the models are {', '.join(MODELS)}", style="red")
        return 2
    table = Table("", "model", "case", "states", "seconds", "breaks")
    wrong = 0
    with console.status("") as status:
        for name, case in [*HOLDS, *SEEDED, *LONG]:
            if only in {"", name}:
                status.update(f"{name}: {case.name}")
                wrong += _explore(table, console, name, case)
    console.print(table)
    return 1 if wrong else 0


def _explore(table: Table, console: Console, name: str, case: Case) -> bool:
    """One line of the table; whether something unexpected was found."""
    began = time.monotonic()
    found = case.explored()
    good = case.is_as_expected(found)
    seconds = f"{time.monotonic() - began:.1f}"
    mark = "[green]ok[/]" if good else "[red]BAD[/]"
    table.add_row(mark, name, case.name, f"{found.states:,}", seconds, ", ".join(found.broken) or "-")
    if not good:
        for what, trace in found.broken.items():
            console.print(f"{name}: {case.name}: {what}\n{told(trace)}", markup=False, highlight=False)
    return not good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
