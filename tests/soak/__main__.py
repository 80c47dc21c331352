"""`make soak MINUTES=20`: campaigns one after the other, no faults; what the stack holds must stay level."""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Annotated

import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tests.chaos import fleets, parts
from tests.chaos.operators import Desk
from tests.chaos.parts import Stack
from tests.chaos.run import GROUPS_EACH, TENANTS, operator, register
from tests.soak import plot
from tests.soak.level import Series, judge
from tests.soak.samples import Lags, Sample, take

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
LEVEL, RISING, REFUSED, INTERRUPTED = 0, 1, 2, 130
SAMPLE_SECONDS = 5.0
LEAST_MINUTES, MOST_MINUTES = 1.0, 600.0


@app.command()
def main(
    minutes: Annotated[float, typer.Option(help="How long")] = 20,
    devices: Annotated[int, typer.Option(help="Over four groups")] = 4_000,
    replicas: Annotated[int, typer.Option(help="Of each service")] = 2,
    results: Annotated[Path, typer.Option(help="A folder for samples and plot")] = Path(".run/soak"),
) -> None:
    """Run it; the exit code is 0 when everything stays level, 1 when something rises, 2 for options without sense."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        console.print(f"soak: MINUTES={minutes:g}: {LEAST_MINUTES:g} to {MOST_MINUTES:g}", style="red", highlight=False)
        raise typer.Exit(REFUSED)
    try:
        samples = asyncio.run(soak(minutes, devices, replicas, console))
    except KeyboardInterrupt:
        console.print("interrupted; nothing is left running")
        raise typer.Exit(INTERRUPTED) from None
    found = judge(samples)
    _keep(samples, found, results)
    console.print(_told(found))
    console.print(f"samples and plot: {results}")
    raise typer.Exit(LEVEL if all(series.is_level for series in found) else RISING)


async def soak(minutes: float, devices: int, replicas: int, console: Console) -> list[Sample]:
    """The samples of a stack at work for so long. Nothing is left of it."""
    folder = Path(mkdtemp(prefix="pulse-soak-"))
    folder.chmod(0o711)
    try:
        stack = parts.built(folder, replicas, _ignore)
        async with parts.running(stack, _ignore):
            return await _work(stack, minutes, devices, console)
    finally:
        with suppress(OSError):
            rmtree(folder)


def _ignore(_: object) -> None:
    """A soak keeps no history."""


async def _work(stack: Stack, minutes: float, devices: int, console: Console) -> list[Sample]:
    desk = Desk(stack.gateway.url, _ignore)
    operators = [operator(stack, desk, 1, place) for place in range(GROUPS_EACH * len(TENANTS))]
    known = await register(operators, devices)
    samples: list[Sample] = []
    lags = Lags(stack.base.kafka_bootstrap)
    await lags.start()
    try:
        async with (
            asyncpg.create_pool(stack.base.postgres.dsn, min_size=1, max_size=1) as database,
            fleets.running(stack, known, 1),
            asyncio.TaskGroup() as group,
        ):
            at_work = [group.create_task(each.run()) for each, _, _ in operators]
            await _sample(stack, samples, lags, database, minutes, console, desk)
            for task in at_work:
                task.cancel()
    finally:
        await lags.stop()
        for each, _, _ in operators:
            await each.close()
    return samples


async def _sample(
    stack: Stack,
    samples: list[Sample],
    lags: Lags,
    database: asyncpg.Pool,
    minutes: float,
    console: Console,
    desk: Desk,
) -> None:
    """Until the time is over."""
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        await asyncio.sleep(SAMPLE_SECONDS)
        pids = {name: keeper.pid for name, keeper in stack.keepers.items() if keeper.pid is not None}
        sample = await take(pids, lags, database)
        if sample.rows:
            samples.append(sample)
        if len(samples) % 12 == 1:
            left = (until - time.monotonic()) / 60
            console.print(f"{left:.1f} minutes left, {desk.counts['campaigns']} campaigns, {sample.rows:,} rows")


def _keep(samples: Sequence[Sample], found: Sequence[Series], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fields = {"series": [asdict(series) for series in found], "samples": [asdict(sample) for sample in samples]}
    (folder / "soak.json").write_bytes(msgspec.json.format(msgspec.json.encode(fields), indent=1) + b"\n")
    plot.draw(samples, folder / "soak.png")


def _told(found: Sequence[Series]) -> Table:
    table = Table("", "what", "middle third", "last third", "unit")
    for series in found:
        mark = "[green]level[/]" if series.is_level else "[red]rises[/]"
        table.add_row(mark, series.name, f"{series.middle:,.1f}", f"{series.last:,.1f}", series.unit)
    return table


if __name__ == "__main__":
    app()
