"""What a run has found: verdicts, and recovery times by kind of fault; as JSON and a plot, and for the terminal."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.chaos.checker.verdicts import Verdict
from tests.chaos.history import Fault, Line, Made, Recovered, Row, Written
from tests.chaos.run import Outcome


@dataclass(frozen=True, slots=True)
class Times:
    """Recovery of one aspect from one kind of fault; `alone`: the seconds of faults that had no other near them."""

    kind: str
    target: str
    aspect: str
    seconds: Sequence[float]
    alone: Sequence[float]


def family(target: str) -> str:
    """`dispatcher-svc-1 to kafka` without the number of the process."""
    name, to, rest = target.partition(" to ")
    return (name.rpartition("-")[0] if name[-1].isdigit() else name) + to + rest


def recovery(lines: Iterable[Line]) -> list[Times]:
    """By kind, target and aspect; what never came back is not in here, it is a breach."""
    found: dict[tuple[str, str, str], list[Recovered]] = defaultdict(list)
    for line in lines:
        if isinstance(line, Recovered) and line.seconds is not None:
            found[line.kind, family(line.target), line.aspect].append(line)
    return [
        Times(*key, sorted(r.seconds or 0 for r in each), sorted(r.seconds or 0 for r in each if r.alone))
        for key, each in sorted(found.items())
    ]


def counts(lines: Iterable[Line]) -> dict[str, int]:
    """How much happened."""
    names = {Fault: "faults", Made: "campaigns", Row: "device rows", Written: "commands"}
    found = dict.fromkeys(names.values(), 0)
    for line in lines:
        if type(line) in names:
            found[names[type(line)]] += 1
    return found


def told(outcome: Outcome) -> RenderableType:
    """For the terminal."""
    verdicts = Table("", "guarantee", title="The ten guarantees", title_justify="left")
    for verdict in outcome.verdicts:
        mark = "[green]holds[/]" if verdict.holds else f"[red]broken {verdict.breaches}x[/]"
        verdicts.add_row(mark, f"{verdict.guarantee.number}. {verdict.guarantee.text}")
    times = Table("fault", "of", "until", "n", "median", "most", "alone: n", "median", "most")
    for each in recovery(outcome.lines):
        times.add_row(each.kind, each.target, each.aspect, *_figures(each.seconds), *_figures(each.alone))
    broken = [Text(str(verdict)[:3000]) for verdict in outcome.verdicts if not verdict.holds]
    happened = ", ".join(f"{number:,} {name}" for name, number in counts(outcome.lines).items())
    head = Text(f"seed {outcome.options.seed}: {happened} in {outcome.seconds:.0f} s")
    return Group(head, verdicts, times, *broken)


def _figures(seconds: Sequence[float]) -> tuple[str, str, str]:
    if not seconds:
        return "-", "-", "-"
    return str(len(seconds)), f"{median(seconds):.1f} s", f"{seconds[-1]:.1f} s"


def write(outcome: Outcome, folder: Path) -> None:
    """`report.json`."""
    fields = {
        "seed": outcome.options.seed,
        "replicas": outcome.options.replicas,
        "devices": outcome.options.devices,
        "seconds": round(outcome.seconds, 1),
        **counts(outcome.lines),
        "guarantees": {str(v.guarantee.number): _verdict(v) for v in outcome.verdicts},
        "recovery": [
            {
                "fault": t.kind,
                "of": t.target,
                "until": t.aspect,
                "seconds": _rounded(t.seconds),
                "alone": _rounded(t.alone),
            }
            for t in recovery(outcome.lines)
        ],
    }
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(fields), indent=1) + b"\n")


def _times(times: Times) -> dict[str, object]:
    seconds, alone = _rounded(times.seconds), _rounded(times.alone)
    return {"fault": times.kind, "of": times.target, "until": times.aspect, "seconds": seconds, "alone": alone}


def _verdict(verdict: Verdict) -> str:
    return "holds" if verdict.holds else str(verdict.shortest)


def _rounded(seconds: Sequence[float]) -> list[float]:
    return [round(s, 2) for s in seconds]
