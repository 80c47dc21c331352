"""Recovery times as a picture: a row for each kind of fault and what it hit, a dot for each time."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.chaos.report import Times

AIMS = {"REST": 3.0, "commands": 10.0, "reports": 20.0}
"""Within so many seconds a killed service's work goes on."""
ASPECT_COLOURS = {"the process": "#7f8c8d", "REST": "#2e86c1", "commands": "#ca6f1e", "reports": "#239b56"}
ROW_INCHES = 0.22


def recovery(times: Sequence[Times], title: str, file: Path) -> None:
    """Dots: filled where no other fault was near, hollow where one was; a bar at the median."""
    mpl.rcParams["svg.hashsalt"] = "pulse"
    names = sorted({(each.kind, each.target) for each in times}, reverse=True)
    figure = Figure(figsize=(9, 1.6 + ROW_INCHES * len(names)), layout="constrained")
    axes = figure.subplots()
    for each in times:
        row, colour = names.index((each.kind, each.target)), ASPECT_COLOURS[each.aspect]
        row_of = row + 0.22 * (list(ASPECT_COLOURS).index(each.aspect) - 1.5)
        rest = list(each.seconds)
        for second in each.alone:
            rest.remove(second)
        axes.scatter(rest, [row_of] * len(rest), s=10, facecolors="none", edgecolors=colour, linewidths=0.7)
        axes.scatter(each.alone, [row_of] * len(each.alone), s=10, color=colour)
    for aspect, colour in ASPECT_COLOURS.items():
        axes.scatter([], [], s=10, color=colour, label=f"until {aspect}" if aspect != "the process" else aspect)
    axes.set_yticks(range(len(names)), [f"{kind} {target}" for kind, target in names], fontsize=7)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, 0.5, 1, 2, 3, 5, 10, 20, 40, 90], ["0", "0.5", "1", "2", "3", "5", "10", "20", "40", "90"])
    axes.set_xlabel("seconds until it works again (hollow: another fault was near)")
    axes.set_title(title, fontsize=9)
    axes.grid(axis="x", linewidth=0.3)
    axes.legend(fontsize=7, loc="lower right")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
