"""Commands over time against the promise of a rate, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.chaos.history import Written

WINDOW_SECONDS = 0.5
COLOURS = ("#2e86c1", "#ca6f1e", "#239b56", "#8e44ad")


def draw(
    commands: Sequence[Written], marks: Sequence[tuple[float, str]], rate: float, burst: float, file: Path
) -> None:
    """Above: each dispatcher's commands in half a second, against what is promised. Below: all of them, counted.

    `rate` a second, `burst` in commands, of all buckets together; `marks`: what happened to dispatchers, and when.
    """
    began = commands[0].at
    figure = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _in_windows(above, commands, began, rate, burst)
    times = [line.at - began for line in commands]
    below.plot(times, range(1, len(times) + 1), color="#2e86c1", label="commands so far")
    below.plot([0, times[-1]], [burst, burst + rate * times[-1]], "--", color="#7f8c8d", label="promise from the start")
    below.set_ylabel("commands")
    below.set_xlabel("seconds")
    for at, text in marks:
        for axes in (above, below):
            axes.axvline(at - began, color="#b03a2e", linewidth=0.7)
        below.text(at - began, 0, f" {text}", rotation=90, fontsize=7, va="bottom", ha="right", color="#b03a2e")
    for axes in (above, below):
        axes.legend(fontsize=7, loc="upper left")
        axes.grid(linewidth=0.3)
    above.set_title(
        f"{rate:g} commands a second promised, over {len({c.by for c in commands})} dispatchers", fontsize=9
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def _in_windows(axes: Axes, commands: Sequence[Written], began: float, rate: float, burst: float) -> None:
    windows = int((commands[-1].at - began) / WINDOW_SECONDS) + 1
    starts = [n * WINDOW_SECONDS for n in range(windows)]
    bottom = [0.0] * windows
    for colour, by in zip(COLOURS, sorted({c.by for c in commands}), strict=False):
        heights = [0.0] * windows
        for line in commands:
            if line.by == by:
                _spread(heights, max(0.0, line.earliest - began), line.at - began)
        axes.bar(starts, heights, WINDOW_SECONDS, bottom=bottom, align="edge", color=colour, label=f"dispatcher {by}")
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.axhline(rate * WINDOW_SECONDS, linestyle="--", color="#7f8c8d", label="rate")
    axes.axhline(rate * WINDOW_SECONDS + burst, linestyle=":", color="#b03a2e", label="most in any window")
    axes.set_ylabel(f"in {WINDOW_SECONDS:g} s")


def _spread(heights: list[float], earliest: float, at: float) -> None:
    """A command counts evenly over the time in which it may have been written."""
    first, last = int(earliest / WINDOW_SECONDS), int(at / WINDOW_SECONDS)
    for window in range(first, last + 1):
        begin, end = max(earliest, window * WINDOW_SECONDS), min(at, (window + 1) * WINDOW_SECONDS)
        heights[window] += (end - begin) / (at - earliest) if at > earliest else 1.0
