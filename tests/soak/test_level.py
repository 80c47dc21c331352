"""What rises over a soak is found; what only warms up, or goes up and down, is level."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.soak import plot
from tests.soak.__main__ import REFUSED, app
from tests.soak.level import MB, judge
from tests.soak.samples import Sample, handles, memory

FLAT = Sample(0, {"ingest": 80 * MB}, {"ingest": 30}, {"pulse-ingest": 20}, 200_000, 100_000, 9_000_000, 1000)
Change = Callable[[int], dict[str, Any]]


def samples(change: Change) -> list[Sample]:
    return [replace(FLAT, at=5.0 * n, **change(n)) for n in range(60)]


def rising(change: Change) -> set[str]:
    return {series.name for series in judge(samples(change)) if not series.is_level}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda n: {}, set()),
        (lambda n: {"memory": {"ingest": (80 + min(n, 20)) * MB}}, set()),
        (lambda n: {"memory": {"ingest": (80 + n) * MB}}, {"memory of ingest"}),
        (lambda n: {"handles": {"ingest": 30 + n}}, {"file handles of ingest"}),
        (lambda n: {"lag": {"pulse-ingest": n % 7 * 40}}, set()),
        (lambda n: {"lag": {"pulse-ingest": n * 40}}, {"Kafka lag of pulse-ingest"}),
        (lambda n: {"table_bytes": 200 * (1000 + n), "rows": 1000 + n}, set()),
        (lambda n: {"table_bytes": 200_000 + 4000 * n}, {"device rows, table"}),
        (lambda n: {"index_bytes": 100_000 + 4000 * n}, {"device rows, indexes"}),
    ],
    ids=["flat", "warms up", "memory", "handles", "lag up and down", "lag", "more rows", "bloat", "bloated indexes"],
)
def test_what_rises_is_found(change: Change, found: set[str]) -> None:
    assert rising(change) == found


def test_a_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="5 samples say nothing"):
        judge([FLAT] * 5)


def test_a_process_holds_memory_and_files_and_one_that_is_gone_none() -> None:
    import os

    assert memory(os.getpid()) > 10 * MB
    assert handles(os.getpid()) > 2
    assert (memory(2**22 + 1), handles(2**22 + 1)) == (0, 0)


def test_it_is_drawn(tmp_path: Path) -> None:
    plot.draw(samples(lambda n: {}), tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_minutes_without_sense_are_refused_in_one_line() -> None:
    refused = CliRunner().invoke(app, ["--minutes", "0"])
    assert (refused.exit_code, refused.output.strip()) == (REFUSED, "soak: MINUTES=0: 1 to 600")
