"""`python -m local_stack.demo`: brings the stack up, runs the demo, takes down again what it brought up."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from local_stack import commands, stack_env
from local_stack import console as web_console
from local_stack.demo import settings
from local_stack.demo.run import run
from local_stack.demo.settings import IMPATIENT, DemoSettings
from local_stack.errors import StackError
from local_stack.settings import StackSettings
from local_stack.settings import load as load_stack

console = Console(highlight=False)


def say(line: str) -> None:
    console.print(f"[dim]·[/] {escape(line)}", soft_wrap=True)


@contextmanager
def stack(of: StackSettings) -> Iterator[dict[str, str]]:
    """The stack's addresses; it goes down at the end if it was not up before."""
    given = dict(os.environ)
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    asyncio.run(web_console.build(say))
    say("bringing the stack up; logs are in " + str(of.directory / "logs"))
    ours = commands.up(of, say)
    if not ours:
        say("the stack was up already, with its own backoff: retries may take a minute")
        for line in commands.not_in_force(of, given):
            say(line)
    try:
        yield stack_env.read(of.directory)
    finally:
        if ours:
            say("taking the stack down")
            commands.down(of)


def demo(of: StackSettings, wishes: DemoSettings) -> int:
    with stack(of) as addresses:
        return 0 if asyncio.run(run(of.directory, addresses, wishes, console, say)) else 1


class Terminated(KeyboardInterrupt):
    """Somebody else ended the demo."""


def _terminate(_: int, __: object) -> None:
    raise Terminated


def main() -> int:
    """0 also after Ctrl-C: that is how a person ends a demo, and no error."""
    signal.signal(signal.SIGTERM, _terminate)
    ended = 1
    try:
        return demo(load_stack(), settings.load())
    except* StackError as errors:
        for error in errors.exceptions:
            console.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
    except* Terminated:
        console.print("stopped")
    except* KeyboardInterrupt:
        console.print("stopped")
        ended = 0
    return ended


sys.exit(main())
