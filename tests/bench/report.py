"""The outcome as a table in the terminal, as JSON and as a plot."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import plot
from tests.bench.figures import Section


def write(sections: Sequence[Section], out: Path) -> None:
    """Prints the tables, and writes `bench.json` and `bench.svg` into the folder `out`."""
    console = Console()
    console.print(measures_table(sections))
    console.print(usage_table(sections))
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps([section.as_json() for section in sections], indent=1)
    (out / "bench.json").write_text(text + "\n", encoding="utf-8")
    (out / "bench.svg").write_text(plot.picture(sections), encoding="utf-8")
    console.print(f"{out / 'bench.json'} and {out / 'bench.svg'} have it too")


def measures_table(sections: Sequence[Section]) -> Table:
    table = Table("part", "measure", "median", "limit", "ratio", "aim", "", title="Pulse OTA bench")
    for section in sections:
        for m in section.measures:
            limit = f"{sorted(m.limits)[len(m.limits) // 2]:,.4g}" if m.limits else ""
            aim = "" if m.aim is None else f"{'≤' if m.at_most else '≥'} {m.aim:g}"
            ratio = "" if m.ratio is None else f"{m.ratio:.2f}"
            reached = {None: "", True: "reached", False: "missed"}[m.is_reached]
            table.add_row(section.part, m.name, f"{m.value:,.5g} {m.unit}", limit, ratio, aim, reached)
    return table


def usage_table(sections: Sequence[Section]) -> Table:
    table = Table("part", "work", "process", "CPU s", "peak MiB", title="What the processes used in the last run")
    for section in sections:
        for usage in section.usages:
            table.add_row(
                section.part, section.work, usage.process, f"{usage.cpu_seconds:.2f}", f"{usage.peak_mib:.0f}"
            )
    return table
