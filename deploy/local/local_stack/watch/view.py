"""A campaign on the terminal: a panel that changes in place, one line for where there is none, a summary."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local_stack.api import Json
from local_stack.watch import stages, timeline
from local_stack.watch.bars import COLOURS, filled, legend, stacked, words
from local_stack.watch.follow import Watched
from local_stack.watch.progress import Progress
from local_stack.watch.reading import STATUSES, WAITING, Reading
from local_stack.watch.stopping import distance

CAMPAIGN_COLOURS = {"RUNNING": "cyan", "PAUSED": "yellow", "COMPLETED": "green", "ABORTED": "red"}
LAST_ENTRIES = 5
LINE_CELLS = 30
LABEL_CELLS = 16
"""What the frame and the labels take of a line."""
_PAUSE = "again after a pause that grows to an hour"
HELD_BACK = {
    "offline": ("offline", f"sent {_PAUSE}, or once heard"),
    "refused": ("refused by the broker", f"sent {_PAUSE}"),
    "retry": ("after a failed attempt", f"tried {_PAUSE}"),
}
"""Whom a campaign holds back, and what happens next."""


def panel(watched: Watched, width: int) -> Panel:
    """All of it, for a terminal of `width` columns."""
    reading = watched.reading
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, content in _rows(watched, max(10, width - LABEL_CELLS)):
        table.add_row(label, content)
    colour = CAMPAIGN_COLOURS.get(reading.status, "white")
    parts: list[RenderableType] = [table]
    if watched.lost:
        parts.append(Text(lost(watched), "bold red"))
    return Panel(Group(*parts), title=_title(reading, colour), title_align="left", border_style=colour)


def target(campaign: Json) -> str:
    """Whom the campaign is for: a group, or what another campaign has not updated."""
    of = campaign.get("target_of")
    return f"what campaign {of['campaign_id']} left" if of else str(campaign["target_group_id"])


def _title(reading: Reading, colour: str) -> Text:
    campaign = reading.campaign
    what = f"{campaign['name']} · {campaign['firmware_version']} to {target(campaign)} · "
    return Text.assemble(what, (reading.status, f"bold {colour}"))


def _rows(watched: Watched, width: int) -> list[tuple[str, RenderableType]]:
    reading, progress = watched.reading, watched.progress
    rows: list[tuple[str, RenderableType]] = [("devices", stacked(reading.counts, width)), ("", legend(reading.counts))]
    if held := held_back(reading):
        rows.append(("waiting", Text(held)))
    if len(reading.stages) > 1:
        rows.append(("stages", stages.track(reading)))
    rows.append(("rate", Text(pace(reading, progress))))
    line = distance(reading.campaign)
    rows.append(("abort rule", filled(line.share, min(LINE_CELLS, width - 1), line.colour)))
    rows.append(("", Text(line.words, "" if line.share < 1 else "red")))
    rows.append(("failed", Text(failures(reading), "red" if reading.failures else "dim")))
    if reading.reason:
        rows.append(("because", Text(reading.reason, f"bold {CAMPAIGN_COLOURS.get(reading.status, '')}".strip())))
    if reading.withdrawal:
        rows.append(("firmware", Text(reading.withdrawal, "bold yellow")))
    entries = [Text(timeline.line(entry)) for entry in reading.timeline[-LAST_ENTRIES:]]
    rows.append(("timeline", Group(*entries)))
    return rows


def pace(reading: Reading, progress: Progress) -> str:
    """The rate against what was promised, the time so far and the time left."""
    elapsed = reading.elapsed
    so_far = f"{stages.clock(elapsed)} so far" if elapsed is not None else "not started"
    return f"{progress.rate:,.0f} devices/min of at most {reading.promise:,} · {so_far} · {_time_left(reading)}"


def _time_left(reading: Reading) -> str:
    if not any(reading.counts[status] for status in WAITING):
        return "no device waits"
    left = reading.seconds_left
    return "end not foreseeable" if left is None else f"last command in about {stages.clock(left)}"


def failures(reading: Reading) -> str:
    """Why devices have failed."""
    return ", ".join(f"{code} {devices:,}" for code, devices in reading.failures) or "none"


def held_back(reading: Reading) -> str:
    """How many devices wait for more than their turn, for what, and what happens next; or nothing."""
    if reading.status not in ("RUNNING", "PAUSED"):
        return ""
    held = [(f"{n:,} {who}", then) for wait, (who, then) in HELD_BACK.items() if (n := reading.waiting.get(wait))]
    return "; ".join(f"{who}: {then}" if reading.status == "RUNNING" else who for who, then in held)


def lost(watched: Watched) -> str:
    """That the campaign cannot be read at the moment, and since when."""
    since = watched.at - watched.reading.at
    return f"connection lost; this is as of {stages.clock(since)} ago; trying again ({watched.lost})"


def plain(watched: Watched) -> str:
    """The same in one line, without the timeline."""
    reading = watched.reading
    parts = [words(reading.counts) or "no devices", pace(reading, watched.progress)]
    if len(reading.stages) > 1:
        parts.append(stages.in_words(reading.stages[reading.campaign["current_stage"]], reading))
    if held := held_back(reading):
        parts.append(held)
    parts += [distance(reading.campaign).words, f"failed: {failures(reading)}"]
    if reading.withdrawal:
        parts.append(reading.withdrawal)
    reason = f" ({reading.reason})" if reading.reason else ""
    return f"{reading.status}{reason}: {'; '.join(parts)}"


def summary(watched: Watched) -> Table:
    """What came of it."""
    reading, mean = watched.reading, watched.progress.mean_rate
    table = Table(title=Text(f"{reading.campaign['name']}: {reading.status}"), show_header=False)
    table.add_row("devices", f"{reading.campaign['total_devices']:,}")
    for status in STATUSES:
        if reading.counts[status]:
            table.add_row(status.lower(), Text(f"{reading.counts[status]:,}", COLOURS[status]))
    for code, devices in reading.failures:
        table.add_row(Text(f"failed: {code}"), f"{devices:,}")
    for stage in reading.stages if len(reading.stages) > 1 else []:
        table.add_row(f"stage {stage['number']}", Text(f"{stage['name']}: {stages.where(stage, reading)}"))
    if reading.elapsed is not None:
        table.add_row("took", stages.clock(reading.elapsed))
    if mean is not None:
        table.add_row("rate", f"{mean:,.0f} devices/min of at most {reading.promise:,}")
    if reading.reason:
        table.add_row("because", Text(reading.reason))
    return table
