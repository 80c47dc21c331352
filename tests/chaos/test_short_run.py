"""A short run with real parts: five faults, drawn from a seed, over four campaigns; all ten guarantees hold."""

from pathlib import Path

import pytest

from tests.chaos import plot, report
from tests.chaos.checker.verdicts import broken
from tests.chaos.faults import Kind
from tests.chaos.run import Options, Progress, chaos

FAULTS, SEED, DEVICES = 5, 45, 200


@pytest.mark.timeout(240)
async def test_guarantees_hold_over_a_short_run(tmp_path: Path) -> None:
    options = Options(
        FAULTS, SEED, DEVICES, 2, (Kind.KILL, Kind.CUT, Kind.STOP), tmp_path / "results", "install,download"
    )
    outcome = await chaos(options, Progress())
    assert not list(broken(outcome.verdicts))
    assert outcome.ended
    found = report.counts(outcome.lines)
    assert found["faults"] == FAULTS
    assert found["commands"] >= DEVICES
    times = report.recovery(outcome.lines)
    assert {each.kind for each in times} <= {Kind.KILL, Kind.CUT, Kind.STOP}
    report.write(outcome, options.folder)
    plot.recovery(times, "a short run", options.folder / "recovery.png")
    assert (options.folder / "recovery.png").read_bytes().startswith(b"\x89PNG")
