"""Answers of the API about a campaign of three stages, as the live view gets them."""

from datetime import UTC, datetime
from math import ceil
from typing import Any

from local_stack.watch.follow import Watched
from local_stack.watch.progress import Progress
from local_stack.watch.reading import STATUSES, Reading

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ABORTED = {
    "code": "abort_sequential",
    "detail": "9 of 30 dispatched devices failed",
    "by": None,
    "at": "2026-11-24T12:00:00.000000Z",
}
GATE_FAILED = ABORTED | {"code": "gate_failed", "detail": "stage 0 needs 8 successes of 10 devices; 3 failed"}


def stage(number: int, total: int, status: str = "WAITING", **facts: Any) -> dict[str, Any]:
    """A stage whose devices are PENDING unless `facts` count them in another state."""
    counts = {name: facts.pop(name, 0) for name in STATUSES}
    counts["PENDING"] = total - sum(counts.values())
    needed = ceil(0.8 * (total - counts["SKIPPED"]) - 1e-9)
    gate = {"soak_seconds": 60, "min_success": 0.8, "approval": False, "soak_until": None, "needed": needed}
    return {
        "number": number,
        "name": ("canary", "early", "everyone")[number],
        "status": status,
        "total": total,
        "rollout_rate": 1200,
        "status_breakdown": counts,
        **gate,
        **facts,
    }


def campaign(stages: list[dict[str, Any]] | None = None, **facts: Any) -> dict[str, Any]:
    """A campaign that is RUNNING in its first stage; of one stage without gate unless `stages` are given."""
    stages = stages or [stage(0, 500, "RUNNING")]
    counts = {name: sum(s["status_breakdown"][name] for s in stages) for name in STATUSES}
    return {
        "id": 7,
        "name": "Autumn",
        "firmware_version": "2.1.0",
        "target_group_id": "lab",
        "target_of": None,
        "status": "RUNNING",
        "status_reason": None,
        "current_stage": 0,
        "stages": stages,
        "status_breakdown": counts,
        "waiting": {"offline": 0, "refused": 0, "retry": 0},
        "total_devices": sum(counts.values()),
        "succeeded": counts["SUCCESS"],
        "failed": counts["FAILED"],
        "dispatched_devices": sum(counts[s] for s in STATUSES if s not in ("PENDING", "QUEUED", "SKIPPED")),
        "failing_devices": counts["FAILED"],
        "abort_rule": "sequential",
        "abort_threshold": 0.1,
        "abort_confidence": 0.95,
        "abort_min_devices": 1,
        "e_value": 1.25,
        "abort_at": 21,
        "reasons": [],
        "eta": None,
        "started_at": "2026-11-24T11:59:30.000000Z",
        "completed_at": None,
        **facts,
    }


def entry(event: str, by: str | None = None, reason: str | None = None, **detail: Any) -> dict[str, Any]:
    return {
        "at": "2026-11-24T11:59:30.000000Z",
        "epoch": 1,
        "event": event,
        "by": by,
        "reason": reason,
        "detail": detail,
    }


def reading(
    answer: dict[str, Any] | None = None, at: float = 10.0, timeline: list[dict[str, Any]] | None = None
) -> Reading:
    """Read at noon on the server's clock."""
    return Reading(at, NOON, answer or campaign(), timeline or [])


def reasons(**devices: int) -> list[dict[str, Any]]:
    """Devices by error code."""
    return [{"error_code": code, "devices": number} for code, number in devices.items()]


def watched(seen: Reading, lost: str = "", at: float | None = None) -> Watched:
    progress = Progress()
    progress.add(seen)
    return Watched(seen.at if at is None else at, seen, progress, lost)
