"""`make chaos FAULTS=50 SEED=7`: faults drawn at random over campaigns that run, then ten verdicts."""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from local_stack.errors import StackError
from tests.chaos import plot, report
from tests.chaos.faults import Kind
from tests.chaos.run import Options, Outcome, Progress, chaos

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
HELD, BROKEN, REFUSED, INTERRUPTED = 0, 1, 2, 130
LEAST_DEVICES, MOST_DEVICES, MOST_REPLICAS = 40, 20_000, 5
PLAIN_EVERY_SECONDS = 10.0


def refusal(faults: int, devices: int, replicas: int, kinds: str) -> str | None:
    """Why options make no sense, in one line."""
    unknown = [kind for kind in kinds.split(",") if kind not in set(Kind)]
    if faults < 1:
        return f"FAULTS={faults}: at least one"
    if not LEAST_DEVICES <= devices <= MOST_DEVICES:
        return f"DEVICES={devices}: {LEAST_DEVICES} to {MOST_DEVICES:,}"
    if not 1 <= replicas <= MOST_REPLICAS:
        return f"REPLICAS={replicas}: 1 to {MOST_REPLICAS} of each service"
    return f"KINDS={kinds}: of {','.join(Kind)}" if unknown else None


@app.command()
def main(
    faults: Annotated[int, typer.Option(help="How many")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed: the same faults")] = 7,
    devices: Annotated[int, typer.Option(help="Over all campaigns")] = 4_000,
    replicas: Annotated[int, typer.Option(help="Of each service")] = 2,
    kinds: Annotated[str, typer.Option(help="With commas between")] = ",".join(Kind),
    results: Annotated[Path, typer.Option(help="A folder for history, report and plot")] = Path(".run/chaos"),
) -> None:
    """Run it; the exit code is 0 when all ten guarantees hold, 1 when one is broken, 2 for options without sense."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    why = refusal(faults, devices, replicas, kinds)
    if why is not None:
        console.print(f"chaos: {why}", style="red", highlight=False)
        raise typer.Exit(REFUSED)
    folder = results / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-seed{seed}"
    chosen = tuple(Kind(kind) for kind in kinds.split(","))
    options = Options(faults, seed, devices, replicas, chosen, folder)
    raise typer.Exit(_ran(options, console))


def _ran(options: Options, console: Console) -> int:
    try:
        outcome = _outcome(options, console)
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print(f"interrupted; nothing is left running. What was recorded is in {options.folder}")
        return INTERRUPTED
    if outcome is None:
        return BROKEN
    report.write(outcome, options.folder)
    title = f"{options.faults} faults, seed {options.seed}, {options.replicas} processes of each service"
    plot.recovery(report.recovery(outcome.lines), title, options.folder / "recovery.png")
    console.print(report.told(outcome))
    console.print(f"history, report and plot: {options.folder}")
    return HELD if all(verdict.holds for verdict in outcome.verdicts) else BROKEN


def _outcome(options: Options, console: Console) -> Outcome | None:
    """None when the stack did not start, which has been said by then."""
    try:
        return asyncio.run(_run(options, console))
    except* StackError as errors:
        for error in errors.exceptions:
            console.print(f"chaos: {error}", style="red", highlight=False, markup=False)
    return None


async def _run(options: Options, console: Console) -> Outcome:
    progress = Progress()
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with asyncio.TaskGroup() as group:
        showing = group.create_task(_show(progress, console))
        try:
            return await chaos(options, progress)
        finally:
            showing.cancel()


async def _show(progress: Progress, console: Console) -> None:
    """One line that changes in place on a terminal, elsewhere one now and then; until cancelled."""
    began = time.monotonic()
    if not console.is_terminal:
        while True:
            console.print(line(progress, time.monotonic() - began), highlight=False)
            await asyncio.sleep(PLAIN_EVERY_SECONDS)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(line(progress, time.monotonic() - began), refresh=True)
            await asyncio.sleep(0.3)


def line(progress: Progress, seconds: float) -> str:
    """How far a run is."""
    words: Sequence[str] = [f"{seconds:.0f} s: {progress.phase}"]
    if progress.injury is not None and progress.desk is not None and progress.commands is not None:
        now = "; ".join(f"{plan.kind} {plan.target}" for plan in progress.injury.active)
        counts = ", ".join(f"{number:,} {name}" for name, number in progress.desk.counts.items())
        words = [
            *words,
            f"{progress.injury.done} of {progress.of} faults",
            counts,
            f"{progress.commands.count:,} commands",
            *([now] if now else []),
        ]
    return ", ".join(words)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        app()
