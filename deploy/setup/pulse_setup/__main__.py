"""`python -m pulse_setup`: prints what it does; exit code 2 and one line on standard error when it cannot."""

import asyncio
import sys

from pulse.runtime.errors import StartRefused
from pulse.runtime.settings import load
from pulse_setup.job import set_up
from pulse_setup.settings import SetupSettings


def main() -> int:
    try:
        asyncio.run(set_up(load(SetupSettings), lambda line: print(line, flush=True)))
    except StartRefused as error:
        print(f"pulse_setup: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
