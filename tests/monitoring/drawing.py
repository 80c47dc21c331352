"""Dashboards drawn from Prometheus, panel by panel where Grafana would put them."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

COLUMNS = 24
INCHES_A_COLUMN, INCHES_A_LINE = 0.66, 0.42
PAPER, PANEL, INK, FAINT = "#f4f5f7", "#ffffff", "#24292e", "#8a8f98"
COLOURS = ("#3871dc", "#e0752d", "#56a64b", "#b877d9", "#e02f44", "#19a3a3", "#caa415", "#7c6f64", "#ff7eb6", "#4d8b31")
MOST_IN_LEGEND = 8
Json = dict[str, Any]
Series = tuple[str, list[tuple[float, float]]]
"""The legend of a line, and its points: seconds since 1970, value."""


def draw(dashboard: Json, found: dict[int, list[Series]], file: Path) -> None:
    """Writes a PNG; `found` has the lines of each panel by its id."""
    mpl.rcParams.update({"font.size": 8, "font.family": "DejaVu Sans", "text.color": INK, "axes.edgecolor": "#d5d8dd"})
    lines = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    size = (COLUMNS * INCHES_A_COLUMN, (lines + 1.6) * INCHES_A_LINE)
    figure = Figure(figsize=size, facecolor=PAPER)
    line = INCHES_A_LINE / size[1]
    figure.text(0.008, 1 - 1.0 * line, dashboard["title"], size=14, weight="bold", va="center")
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        left, top, width, height = at["x"] / COLUMNS, 1 - (at["y"] + 1.6) * line, at["w"] / COLUMNS, at["h"] * line
        if panel["type"] == "row":
            figure.text(left + 0.008, top - height / 2, panel["title"], size=10, weight="bold", va="center")
            continue
        figure.text(left + 0.010, top - 0.62 * line, panel["title"], size=9, weight="bold", va="center", zorder=5)
        _background(figure, left, top, width, height)
        body = (left + 0.012, top - height + 0.3 * line, width - 0.024, height - 1.3 * line)
        if panel["type"] == "stat":
            _number(figure, panel, found[panel["id"]], body)
        else:
            _graph(figure, panel, found[panel["id"]], body, line)
    figure.savefig(file, dpi=80)


def _background(figure: Figure, left: float, top: float, width: float, height: float) -> None:
    axes = figure.add_axes((left + 0.003, top - height + 0.004, width - 0.006, height - 0.006), zorder=-1)
    axes.set(xticks=[], yticks=[], facecolor=PANEL)


def _number(figure: Figure, panel: Json, found: Sequence[Series], body: tuple[float, float, float, float]) -> None:
    """The last values, and how they came about beneath them."""
    axes = figure.add_axes(body)
    axes.axis("off")
    texts = []
    is_named = "{{" in panel["targets"][0]["legendFormat"]
    for place, (name, points) in enumerate(found[:3]):
        texts.append(name if is_named else _text(points[-1][1], panel["fieldConfig"]["defaults"]["unit"]))
        if not is_named:
            axes.fill_between(_moments(points), [value for _, value in points], color=COLOURS[place], alpha=0.15, lw=0)
    axes.set_ylim(bottom=0)
    big = 17 if len(texts) == 1 and len(texts[0]) < 12 else 9
    axes.text(0.5, 0.5, "\n".join(texts) or "no data", transform=axes.transAxes, size=big, ha="center", va="center")


def _graph(
    figure: Figure, panel: Json, found: Sequence[Series], body: tuple[float, float, float, float], line: float
) -> None:
    left, bottom, width, height = body
    shown = sorted((series for series in found if series[1]), key=lambda series: -_height(series))
    under = (ceil(min(len(shown), MOST_IN_LEGEND) / 2) * 0.34 + 0.8) * line
    axes = figure.add_axes((left + 0.022, bottom + under, width - 0.026, height - under))
    if panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal":
        _stack(axes, shown)
    else:
        for place, (name, points) in enumerate(shown):
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(_moments(points), [value for _, value in points], color=colour, lw=1.2, label=name)
    _dress(axes, panel["fieldConfig"]["defaults"]["unit"])
    _explain(axes, len(shown))


def _stack(axes: Axes, shown: Sequence[Series]) -> None:
    moments = sorted({moment for _, points in shown for moment, _ in points})
    rows = [[dict(points).get(moment, 0.0) for moment in moments] for _, points in shown]
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(shown))]
    axes.stackplot(
        [_day(moment) for moment in moments], rows, labels=[name for name, _ in shown], colors=colours, alpha=0.75, lw=0
    )


def _height(series: Series) -> float:
    return max(value for _, value in series[1])


def _dress(axes: Axes, unit: str) -> None:
    axes.grid(visible=True, color="#eceef1", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelsize=7, colors=FAINT)
    if axes.has_data():
        axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=6))
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], 1e-9))
    if unit == "percentunit":
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _text(value, unit)))


def _explain(axes: Axes, number: int) -> None:
    if number:
        handles, names = axes.get_legend_handles_labels()
        names = [name if len(name) < 46 else name[:45] + "…" for name in names]
        axes.legend(
            handles[:MOST_IN_LEGEND],
            names[:MOST_IN_LEGEND],
            loc="upper left",
            bbox_to_anchor=(-0.06, -0.09),
            ncols=2,
            fontsize=6.5,
            frameon=False,
            handlelength=1.2,
            columnspacing=1.2,
            labelspacing=0.25,
        )
        if number > MOST_IN_LEGEND:
            more = f"and {number - MOST_IN_LEGEND} more"
            axes.text(0.99, 0.98, more, transform=axes.transAxes, ha="right", va="top", size=6.5, color=FAINT)
    else:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", color=FAINT)


def _moments(points: Sequence[tuple[float, float]]) -> list[float]:
    return [_day(moment) for moment, _ in points]


def _day(moment: float) -> float:
    """As matplotlib counts: days since 1970."""
    return moment / 86_400


def _text(value: float, unit: str) -> str:
    """A value as Grafana writes it, more or less."""
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit == "s":
        return _seconds(value)
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    short = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return short + {"cps": "/s", "reqps": "/s", "ops": "/s"}.get(unit, "")


def _seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.3g} ms" if value else "0 s"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"
