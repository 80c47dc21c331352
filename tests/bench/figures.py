"""What a bench has measured: values with their limits and aims, and what each process used."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing measured several times.

    `limits` are the values of the limit it is held against, measured in the same runs. `aim` is what `figure` should
    reach: at least, or at most where `at_most` says so.
    """

    name: str
    unit: str
    values: Sequence[float]
    limits: Sequence[float] = ()
    aim: float | None = None
    at_most: bool = False

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def ratio(self) -> float | None:
        """The median of the runs' ratios to their own limits."""
        return median(v / limit for v, limit in zip(self.values, self.limits, strict=True)) if self.limits else None

    @property
    def figure(self) -> float:
        """What the aim is about: the ratio where there is a limit, else the value."""
        return self.value if self.ratio is None else self.ratio

    @property
    def is_reached(self) -> bool | None:
        if self.aim is None:
            return None
        return self.figure <= self.aim if self.at_most else self.figure >= self.aim

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.value,
            "values": list(self.values),
            "limits": list(self.limits),
            "ratio": self.ratio,
            "aim": self.aim,
            "at_most": self.at_most,
            "reached": self.is_reached,
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used: CPU seconds while it was measured, the most memory (MiB) that one process ever had."""

    process: str
    cpu_seconds: float
    peak_mib: float

    def as_json(self) -> dict[str, Any]:
        return {"process": self.process, "cpu_seconds": self.cpu_seconds, "peak_mib": self.peak_mib}


@dataclass(slots=True)
class Section:
    """The outcome of one part of the bench. `usages` are those of its last run, in which `work` was done."""

    part: str
    measures: list[Measure] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    work: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "measures": [measure.as_json() for measure in self.measures],
            "work": self.work,
            "usages": [usage.as_json() for usage in self.usages],
        }
