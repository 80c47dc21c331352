"""CPU seconds and memory of processes, each with the children that it has or had."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from tests.bench.figures import Usage


class Meter:
    """Measures from its making on; `pids` by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = {name: _cpu_seconds(pid) for name, pid in self._pids.items()}

    def read(self) -> list[Usage]:
        """What has been used since."""
        return [
            Usage(name, _cpu_seconds(pid) - self._before[name], _peak_mib(pid)) for name, pid in self._pids.items()
        ]


def _cpu_seconds(pid: int) -> float:
    """Of a process and its children, those included that have ended."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    total: float = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return total


def _peak_mib(pid: int) -> float:
    """The peak of a process, or of the largest of its children."""
    process = psutil.Process(pid)
    return max(_peak_of(p.pid) for p in (process, *process.children(recursive=True)))


def _peak_of(pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
