"""What a demo makes of recorded answers of the API."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from local_stack.demo.progress import STATUSES, Progress, Reading, apportion, reasons, seconds_left
from local_stack.demo.view import panel, plain, summary

NOTHING = dict.fromkeys(STATUSES, 0)
ABORTED = {
    "code": "abort_ratio",
    "detail": "8 of 50 failed, more than 10 %",
    "by": "system",
    "at": "2026-11-24T12:00:00Z",
}


def reading(at: float = 10.0, status: str = "RUNNING", reason: Any = None, **counts: int) -> Reading:
    """A campaign of 500 devices as the API answers it; what is not counted is PENDING."""
    breakdown = NOTHING | counts
    breakdown["PENDING"] = 500 - sum(counts.values())
    dispatched = sum(breakdown[name] for name in STATUSES if name not in ("PENDING", "QUEUED", "SKIPPED"))
    return Reading(
        at,
        {
            "id": 1,
            "name": "Demo",
            "status": status,
            "status_breakdown": breakdown,
            "status_reason": reason,
            "dispatched_devices": dispatched,
            "total_devices": 500,
            "rollout_rate": 1200,
            "failing_devices": 3,
            "abort_at": 21,
        },
    )


def shown(what: RenderableType) -> str:
    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def test_rate_is_taken_from_successive_readings() -> None:
    progress = Progress()
    for second in range(11):
        progress.add(reading(at=second, SUCCESS=20 * second))
    assert progress.rate == pytest.approx(1200)
    assert progress.mean_rate == pytest.approx(1200)


def test_rate_falls_to_nothing_when_nothing_more_is_dispatched_but_the_mean_stays() -> None:
    progress = Progress()
    for second in range(30):
        progress.add(reading(at=second, SUCCESS=20 * min(second, 10)))
    assert progress.rate == 0
    assert progress.mean_rate == pytest.approx(1200)


def test_rate_before_the_second_reading_is_none() -> None:
    progress = Progress()
    progress.add(reading(at=0.0))
    assert (progress.rate, progress.mean_rate) == (0, 0)


@pytest.mark.parametrize(
    ("status", "counts", "left"),
    [
        ("RUNNING", {"SUCCESS": 100}, 20.0),
        ("RUNNING", {"SUCCESS": 300, "QUEUED": 100}, 10.0),
        ("RUNNING", {"SUCCESS": 400, "INSTALLING": 100}, None),
        ("PAUSED", {"SUCCESS": 100}, None),
    ],
)
def test_time_left_is_what_waits_at_the_promised_rate(status: str, counts: dict[str, int], left: float | None) -> None:
    assert seconds_left(reading(status=status, **counts)) == left


@pytest.mark.parametrize(
    ("status", "reason", "counts", "settled", "as_meant"),
    [
        ("RUNNING", None, {"SUCCESS": 500}, False, False),
        ("COMPLETED", None, {"SUCCESS": 490, "FAILED": 10}, True, True),
        ("ABORTED", ABORTED, {"SUCCESS": 50, "FAILED": 8, "SKIPPED": 442}, True, True),
        ("ABORTED", ABORTED, {"SUCCESS": 50, "FAILED": 8, "SKIPPED": 440, "INSTALLING": 2}, False, False),
        ("ABORTED", ABORTED | {"code": "operator"}, {"SKIPPED": 500}, True, False),
    ],
)
def test_demo_is_over_when_every_device_is_settled_and_good_when_nobody_interfered(
    status: str, reason: Any, counts: dict[str, int], settled: bool, as_meant: bool
) -> None:
    last = reading(status=status, reason=reason, **counts)
    assert (last.is_settled, last.ended_as_meant) == (settled, as_meant)


def test_failures_are_counted_by_reason_most_frequent_first() -> None:
    devices = [{"error_code": code} for code in ("timeout", "install_failed", "timeout", None)]
    assert reasons(devices) == [("timeout", 2), ("install_failed", 1), ("unknown", 1)]


def test_running_campaign_is_shown_with_the_failures_at_which_it_would_stop() -> None:
    assert "failed attempt: 3, stops by itself at 21" in plain(reading(), Progress(), [])
    assert "stops by itself" not in plain(reading(status="PAUSED"), Progress(), [])


@given(counts=st.lists(st.integers(0, 1000), min_size=8, max_size=8), width=st.integers(8, 200))
def test_bar_is_full_and_shows_whoever_is_there(counts: list[int], width: int) -> None:
    cells = apportion(counts, width)
    assert sum(cells) == (width if any(counts) else 0)
    assert all((count > 0) == (cell > 0) for count, cell in zip(counts, cells, strict=True))


@pytest.mark.parametrize("render", [panel, plain, summary])
def test_every_view_says_counts_rate_and_reason_in_words(render: Any) -> None:
    last, progress = reading(status="ABORTED", reason=ABORTED, SUCCESS=50, FAILED=8, SKIPPED=442), Progress()
    progress.add(last)
    width = (100,) if render is panel else ()
    text = shown(render(last, progress, [("install_failed", 8)], *width))
    for word in ("ABORTED", "abort_ratio", "8 of 50 failed", "1200", "install_failed"):
        assert word in text
    for status, count in (("success", "50"), ("failed", "8"), ("skipped", "442")):
        assert status in text
        assert count in text
