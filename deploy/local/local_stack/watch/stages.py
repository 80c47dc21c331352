"""A campaign's stages as a track from top to bottom, each with its gate and what that waits for."""

from datetime import datetime
from math import ceil

from rich.table import Table
from rich.text import Text

from local_stack.api import Json
from local_stack.watch.bars import stacked, words
from local_stack.watch.reading import Reading, counts, moment

MARKS = {
    "WAITING": ("○", "grey50"),
    "RUNNING": ("●", "cyan"),
    "SOAKING": ("◔", "cyan"),
    "AWAITING_APPROVAL": ("◇", "yellow"),
    "FAILED": ("✗", "red"),
    "PASSED": ("✓", "green"),
}
BAR_CELLS = 20


def track(reading: Reading) -> Table:
    """A row for each stage: its mark, name, size, devices by state, and where it is on its way."""
    table = Table.grid(padding=(0, 1))
    for stage in reading.stages:
        sign, colour = MARKS[_shown_status(stage, reading)]
        present = stage["number"] == reading.campaign["current_stage"]
        table.add_row(
            Text(sign, colour),
            Text(stage["name"], "bold" if present else ""),
            Text(f"{stage['total']:,}", justify="right"),
            stacked(counts(stage), BAR_CELLS),
            Text(where(stage, reading), colour),
        )
    return table


def in_words(stage: Json, reading: Reading) -> str:
    """One stage in a sentence."""
    return f"stage {stage['number']} {stage['name']} ({words(counts(stage)) or 'no devices'}): {where(stage, reading)}"


def where(stage: Json, reading: Reading) -> str:
    """Where a stage is on its way, and what its gate waits for."""
    match _shown_status(stage, reading):
        case "WAITING":
            return f"waits; {gate(stage)}" if _has_gate(stage, reading) else "waits"
        case "RUNNING":
            return _rolling_out(stage, reading)
        case "SOAKING":
            return f"{_succeeded(stage)}; soaking, {soak_left(stage, reading.now)}"
        case "AWAITING_APPROVAL":
            return f"{_succeeded(stage)}; waits for an approver"
        case "FAILED":
            return f"gate failed: {gate(stage)}, {counts(stage)['FAILED']} failed"
        case _:
            return "passed" if _has_gate(stage, reading) else "done"


def _shown_status(stage: Json, reading: Reading) -> str:
    """The stage's status; the last stage has no gate to pass, it is done with the campaign."""
    done = reading.status == "COMPLETED" and stage["status"] == "RUNNING"
    return "PASSED" if done else str(stage["status"])


def _has_gate(stage: Json, reading: Reading) -> bool:
    return bool(stage["number"] != reading.stages[-1]["number"])


def _rolling_out(stage: Json, reading: Reading) -> str:
    if reading.status != "RUNNING":
        return reading.status.lower()
    if not _has_gate(stage, reading):
        return "rolling out"
    stuck = "; cannot open by itself, needs devices that are held back: an approver may open it"
    return f"{_succeeded(stage)}; {gate(stage)}{stuck if stage.get('stuck_since') else ''}"


def _succeeded(stage: Json) -> str:
    return f"{counts(stage)['SUCCESS']:,} succeeded"


def gate(stage: Json) -> str:
    """What the gate asks for: the least number of successes, the soak time, approval."""
    updatable, needed = stage["total"] - counts(stage)["SKIPPED"], stage.get("needed")
    told = f"{100 * stage['min_success']:.4g}%" if needed is None else f"{needed:,} of {updatable:,}"
    asked = [f"{told} must succeed"]
    if stage["soak_seconds"]:
        asked.append(f"{clock(stage['soak_seconds'])} soak")
    if stage["approval"]:
        asked.append("approval")
    return ", ".join(asked)


def soak_left(stage: Json, now: datetime) -> str:
    """How long the stage still soaks."""
    until = moment(stage["soak_until"])
    return "–" if until is None else f"{clock(max(0.0, (until - now).total_seconds()))} left"


def clock(seconds: float) -> str:
    """A length of time as people say it: `8 s`, `14:59`, `2:00:00`."""
    whole = ceil(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
