"""`make bench`: the parts that were asked for, one table, JSON and a plot."""

import asyncio
import os
import signal
import sys

from tests.bench import abort, creation, dispatcher, fleet, idle, ingest, options, rate, report, scaling, site, size
from tests.bench.figures import Section
from tests.bench.options import Options, Refused
from tests.bench.say import teller

MEASURES = {
    "dispatcher": dispatcher.measure,
    "ingest": ingest.measure,
    "creation": creation.measure,
    "rate": rate.measure,
    "abort": abort.measure,
    "size": size.measure,
    "scaling": scaling.measure,
    "idle": idle.measure,
    "fleet": fleet.measure,
}


async def bench(wanted: Options) -> list[Section]:
    """Measures part after part on parts of its own."""
    say = teller()
    say(f"starting PostgreSQL, Kafka and Mosquitto for {', '.join(wanted.parts)}")
    async with site.opened() as here:
        return [await MEASURES[part](here, wanted.runs, say) for part in wanted.parts]


async def _main(wanted: Options) -> None:
    """Ctrl-C and SIGTERM cancel the work: everything is then stopped in order."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    report.write(await bench(wanted), wanted.out)


def main() -> int:
    try:
        wanted = options.read(os.environ)
    except Refused as refused:
        print(f"bench: {refused}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_main(wanted))
    except asyncio.CancelledError:
        print("bench: stopped, nothing is left running", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
