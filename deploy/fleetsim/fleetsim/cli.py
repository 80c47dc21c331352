"""The command line: which devices, on which broker, of which nature, for how long."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from inspect import signature
from typing import Any, TypeVar

import typer
import uvloop

from fleetsim.connection import LinkLostError
from fleetsim.options import OptionsError, RunOptions, SendOptions
from fleetsim.recorder import HistoryLostError
from fleetsim.run import ENDED, INTERRUPTED, live
from fleetsim.send import send_to
from pulse.runtime.mqtt import MqttError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Simulated MQTT devices that take firmware updates.")
FAILED, REFUSED = 1, 2
Options = TypeVar("Options", RunOptions, SendOptions)


def takes_fields(command: Callable[[Options], None]) -> Callable[..., None]:
    """The command with an option for each field of the dataclass that it takes: there an option stands once."""
    kind: type[Options] = signature(command).parameters["options"].annotation

    def called(**given: Any) -> None:
        command(kind(**given))

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__annotations__ = {name: field.annotation for name, field in signature(kind).parameters.items()}
    called.__signature__ = signature(kind)  # type: ignore[attr-defined]  # what typer reads
    return called


@app.callback()
def fleetsim() -> None:
    """Simulated MQTT devices that take firmware updates."""


@app.command()
@takes_fields
def run(options: RunOptions) -> None:
    """Connect devices and let them take updates, until --for or --idle, Ctrl-C or SIGTERM.

    A SPREAD is a number (2), a span (1..3) or a log-normal (20~0.5: median, sigma); k, M and G stand for thousands.
    Kinds of failure: download (the file is not there), checksum (it is damaged), install (the new firmware does not
    start), silence (nothing is heard after the installation), rollback (the device runs the old version again and says
    so). Exit codes: 0 ended, 1 the history cannot be written, 2 refused, 130 Ctrl-C. More: docs/fleetsim.md.
    """
    raise typer.Exit(_ran(live(options)))


@app.command()
@takes_fields
def send(options: SendOptions) -> None:
    """Send one update command to each device and count what comes back: a rollout without any service behind it.

    To see a fleet at work on a broker of yours, or to measure it. Ends when all devices that took their command have
    ended, or after 10 s without a report.
    """
    raise typer.Exit(_ran(send_to(options)))


def _ran(work: Coroutine[None, None, int]) -> int:
    """The exit code of a command; what it refuses or cannot reach is said in one line."""
    code = ENDED
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(work)
    except* KeyboardInterrupt:
        code = INTERRUPTED
    except* (OptionsError, OSError, MqttError, LinkLostError) as group:
        code = _refuse(group)
    except* HistoryLostError as group:
        code = _refuse(group, FAILED)
    return code


def _refuse(error: BaseException, code: int = REFUSED) -> int:
    """Say it in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    print(f"fleetsim: {error}", file=sys.stderr)
    return code
