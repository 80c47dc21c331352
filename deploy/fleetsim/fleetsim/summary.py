"""What has happened, at the end: for a person in a few lines, for a program as JSON."""

import resource
import time
from dataclasses import dataclass
from typing import Any

from fleetsim.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Wall time and this process's CPU time, in seconds, since it was made."""

    started: float
    cpu: float

    @classmethod
    def start(cls) -> "Stopwatch":
        return cls(time.monotonic(), time.process_time())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self.cpu


def summary(fleet: Fleet, watch: Stopwatch) -> dict[str, Any]:
    """All counts, times in seconds, `peak_memory_mb` of this process, `cpu_ms_per_update` only with updates."""
    tally = fleet.tally
    ended = tally.outcomes.total()
    answer: dict[str, Any] = {
        "devices": len(fleet),
        "connections": fleet.connections,
        "connected": tally.connected,
        "seconds": round(watch.seconds, 3),
        "commands": {
            "received": tally.commands,
            "acted_on": tally.acted_on,
            "repeats_ignored": tally.repeats,
            "put_off": tally.put_off,
            "only_answered": tally.only_answered,
            "refused": tally.refused,
            "unreadable": tally.unreadable,
            "missed_offline": tally.missed,
            "per_second": round(tally.commands_per_second, 1),
        },
        "updates": {"ended": ended, "at_work": tally.at_work, "outcomes": dict(sorted(tally.outcomes.items()))},
        "downloaded_bytes": tally.downloaded_bytes,
        "reports": {
            "delivered": tally.reports,
            "refused_or_unheard": tally.undelivered,
            "unanswered": tally.unanswered,
            "sent_twice": tally.duplicates_sent,
            "sent_late": tally.late_sent,
        },
        "storms": {"number": tally.storms, "connections_cut": tally.struck},
        "cpu_seconds": round(watch.cpu_seconds, 3),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if ended:
        answer["cpu_ms_per_update"] = round(1000 * watch.cpu_seconds / ended, 3)
    return answer


def told(counts: dict[str, Any]) -> str:
    """The same in lines."""
    commands, reports, updates = counts["commands"], counts["reports"], counts["updates"]
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in updates["outcomes"].items()) or "none"
    return (
        f"{counts['devices']} devices on {counts['connections']} connections for {counts['seconds']:.1f} s\n"
        f"commands: {_all(commands)}\n"
        f"updates: {updates['ended']} ended ({outcomes}), {updates['at_work']} at work, "
        f"{counts['downloaded_bytes']} bytes downloaded\n"
        f"reports: {_all(reports)}\n"
        f"this process: {counts['cpu_seconds']:.1f} s of CPU, {counts['peak_memory_mb']} MB at most"
    )


def _all(counts: dict[str, Any]) -> str:
    return ", ".join(f"{number:g} {name.replace('_', ' ')}" for name, number in counts.items())
