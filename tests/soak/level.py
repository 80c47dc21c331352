"""Whether what was sampled stays level: the last third of a soak against its middle third. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.soak.samples import Sample

MB = 1024 * 1024
LEAST_SAMPLES = 6


@dataclass(frozen=True, slots=True)
class Series:
    """What is to stay level: `middle` and `last` are the medians of these thirds, `most` what `last` may be."""

    name: str
    unit: str
    middle: float
    last: float
    most: float

    @property
    def is_level(self) -> bool:
        return self.last <= self.most


def judge(samples: Sequence[Sample]) -> list[Series]:
    """All series; the first third is for warming up. Raises ValueError for too few samples."""
    if len(samples) < LEAST_SAMPLES:
        raise ValueError(f"{len(samples)} samples say nothing, {LEAST_SAMPLES} are the least")
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]
    found: list[Series] = []
    for name in samples[-1].memory:
        before, now = _median([s.memory[name] / MB for s in middle]), _median([s.memory[name] / MB for s in last])
        found.append(Series(f"memory of {name}", "MB", before, now, before * 1.1 + 8))
        before, now = _median([s.handles[name] for s in middle]), _median([s.handles[name] for s in last])
        found.append(Series(f"file handles of {name}", "", before, now, before * 1.1 + 5))
    for group in samples[-1].lag:
        before, now = _median([s.lag[group] for s in middle]), _median([s.lag[group] for s in last])
        found.append(Series(f"Kafka lag of {group}", "messages", before, now, before * 1.2 + 200))
    before, now = _median([s.table_bytes / s.rows for s in middle]), _median([s.table_bytes / s.rows for s in last])
    found.append(Series("device rows, table", "bytes a row", before, now, before * 1.1))
    before, now = _median([s.index_bytes / s.rows for s in middle]), _median([s.index_bytes / s.rows for s in last])
    found.append(Series("device rows, indexes", "bytes a row", before, now, before * 1.1))
    return found


def _median(values: Sequence[float]) -> float:
    return float(median(values))
