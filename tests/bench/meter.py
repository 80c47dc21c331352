"""CPU seconds and memory of processes, each with the children that it has or had, as Linux tells them in /proc."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tests.bench.figures import Usage

TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


class Meter:
    """Measures from its making on; `pids` by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def read(self) -> list[Usage]:
        """What has been used since."""
        return [Usage(name, cpu_seconds(pid) - self._before[name], peak_mib(pid)) for name, pid in self._pids.items()]


def cpu_seconds(pid: int) -> float:
    """Of a process and its children; of those that have ended, too."""
    return sum(_ticks(each) for each in _family(pid)) / TICKS


def peak_mib(pid: int) -> float:
    """The most memory that the process ever had, or the largest of its children."""
    return max(_peak(each) for each in _family(pid))


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(*GONE):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(*GONE):
                for child in (thread / "children").read_text(encoding="ascii").split():
                    yield from _family(int(child))


def _ticks(pid: int) -> int:
    """User and system time, and that of children that have ended; 0 for a process that is gone."""
    with suppress(*GONE):
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        return sum(map(int, after_name.split()[11:15]))
    return 0


def _peak(pid: int) -> float:
    with suppress(*GONE):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
