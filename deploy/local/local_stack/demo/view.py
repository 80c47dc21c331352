"""A demo's campaign on the terminal: a panel that changes in place, or plain lines where there is none."""

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local_stack.demo.progress import STATUSES, Progress, Reading, apportion, seconds_left

COLOURS = {
    "PENDING": "grey37",
    "QUEUED": "grey62",
    "DISPATCHED": "cyan",
    "DOWNLOADING": "blue",
    "INSTALLING": "magenta",
    "SUCCESS": "green",
    "FAILED": "red",
    "SKIPPED": "yellow",
}
CAMPAIGN_COLOURS = {"RUNNING": "cyan", "PAUSED": "yellow", "COMPLETED": "green", "ABORTED": "red"}
Reasons = list[tuple[str, int]]


def bar(counts: dict[str, int], width: int) -> Text:
    """One cell of the right colour for each share of the devices."""
    text = Text()
    for status, cells in zip(STATUSES, apportion(counts.values(), width), strict=True):
        text.append("█" * cells, COLOURS[status])
    return text


def legend(counts: dict[str, int]) -> Text:
    """The numbers in words, each in its colour."""
    text = Text()
    for status in STATUSES:
        text.append("■ ", COLOURS[status]).append(f"{status.lower()} {counts[status]}   ")
    return text


def pace(reading: Reading, progress: Progress) -> str:
    """The rate against what was promised, the time so far and the time left."""
    left = seconds_left(reading)
    end = f"about {left:.0f} s until the last command" if left is not None else "no command waits"
    promised = reading.campaign["rollout_rate"]
    return f"{progress.rate:.0f} devices/min of at most {promised} · {reading.at:.0f} s so far · {end}"


def failures(reading: Reading, counted: Reasons) -> str:
    """Why devices failed, and how near the campaign is to stopping itself."""
    text = "failed for good: " + (", ".join(f"{code} {n}" for code, n in counted) if counted else "none")
    limit = reading.campaign["abort_at"]
    if reading.campaign["status"] != "RUNNING" or limit is None:
        return text
    return f"{text} · at least one failed attempt: {reading.campaign['failing_devices']}, stops by itself at {limit}"


def panel(reading: Reading, progress: Progress, counted: Reasons, width: int) -> Panel:
    """All of it, for a terminal of `width` columns."""
    campaign = reading.campaign
    colour = CAMPAIGN_COLOURS.get(campaign["status"], "white")
    lines = [bar(reading.counts, max(10, width - 4)), legend(reading.counts), Text(pace(reading, progress))]
    lines.append(Text(failures(reading, counted), "red" if counted else "dim"))
    if reading.reason:
        lines.append(Text(reading.reason, f"bold {colour}"))
    return Panel(
        Group(*lines), title=f"{campaign['name']} · [bold {colour}]{campaign['status']}[/]", title_align="left"
    )


def plain(reading: Reading, progress: Progress, counted: Reasons) -> str:
    """The same in one line."""
    counts = ", ".join(f"{status.lower()} {n}" for status, n in reading.counts.items() if n)
    reason = f" ({reading.reason})" if reading.reason else ""
    return f"{reading.campaign['status']}{reason}: {counts}; {pace(reading, progress)}; {failures(reading, counted)}"


def summary(reading: Reading, progress: Progress, counted: Reasons) -> Table:
    """What came of it."""
    table = Table(title=f"{reading.campaign['name']}: {reading.campaign['status']}", show_header=False)
    table.add_row("devices", str(reading.campaign["total_devices"]))
    for status in STATUSES:
        if reading.counts[status]:
            table.add_row(status.lower(), Text(str(reading.counts[status]), COLOURS[status]))
    for code, devices in counted:
        table.add_row(f"failed: {code}", str(devices))
    table.add_row("took", f"{reading.at:.0f} s")
    promised = reading.campaign["rollout_rate"]
    table.add_row("rate", f"{progress.mean_rate:.0f} devices/min of at most {promised}")
    if reading.reason:
        table.add_row("because", reading.reason)
    return table
