"""A soak as a picture: memory, file handles, lag and sizes over time."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.soak.level import MB
from tests.soak.samples import Sample


def draw(samples: Sequence[Sample], file: Path) -> None:
    minutes = [(sample.at - samples[0].at) / 60 for sample in samples]
    figure = Figure(figsize=(9, 9), layout="constrained")
    memory, handles, lag, sizes = figure.subplots(4, 1, sharex=True)
    for name in samples[-1].memory:
        memory.plot(minutes, [s.memory[name] / MB for s in samples], label=name, linewidth=0.9)
        handles.plot(minutes, [s.handles[name] for s in samples], label=name, linewidth=0.9)
    for group in samples[-1].lag:
        lag.plot(minutes, [s.lag[group] for s in samples], label=group, linewidth=0.9)
    sizes.plot(minutes, [s.table_bytes / s.rows for s in samples], label="table")
    sizes.plot(minutes, [s.index_bytes / s.rows for s in samples], label="indexes")
    for axes, text in ((memory, "memory, MB"), (handles, "file handles"), (lag, "Kafka lag"), (sizes, "bytes a row")):
        _dress(axes, text)
    memory.set_yscale("log")
    handles.set_yscale("log")
    sizes.set_xlabel("minutes")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def _dress(axes: Axes, text: str) -> None:
    axes.set_ylabel(text, fontsize=8)
    axes.grid(linewidth=0.3)
    axes.legend(fontsize=6, ncols=2, loc="upper left")
