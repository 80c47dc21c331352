"""Several runs as one: `python -m tests.chaos.together OUT REPORT…` writes recovery times as Markdown and as a plot."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from tests.chaos import plot
from tests.chaos.report import Times

Report = Mapping[str, Any]


def merged(reports: Iterable[Report]) -> list[Times]:
    """The recovery times of all runs, by kind, target and aspect."""
    found: dict[tuple[str, str, str], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for report in reports:
        for times in report["recovery"]:
            seconds, alone = found[times["fault"], times["of"], times["until"]]
            seconds += times["seconds"]
            alone += times["alone"]
    return [Times(*key, sorted(seconds), sorted(alone)) for key, (seconds, alone) in sorted(found.items())]


def markdown(times: Sequence[Times]) -> str:
    """A table: how many, median, 90th percentile and most, in seconds."""
    head = "| fault | until | times | median | 90 % | most |\n|---|---|---|---|---|---|\n"
    return head + "".join(_line(each) for each in times)


def _line(times: Times) -> str:
    seconds = times.seconds
    most_of = seconds[min(len(seconds) - 1, int(0.9 * len(seconds)))]
    figures = f"{median(seconds):.1f} s | {most_of:.1f} s | {seconds[-1]:.1f} s"
    return f"| {times.kind} {times.target} | {times.aspect} | {len(seconds)} | {figures} |\n"


def main(out: Path, files: Sequence[Path]) -> None:
    reports: list[Report] = [msgspec.json.decode(file.read_bytes()) for file in files]
    times = merged(reports)
    faults = sum(report["faults"] for report in reports)
    seeds = ", ".join(str(report["seed"]) for report in reports)
    out.mkdir(parents=True, exist_ok=True)
    (out / "recovery.md").write_text(markdown(times), encoding="utf-8")
    plot.recovery(times, f"{faults} faults over seeds {seeds}", out / "recovery.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
