"""`python -m local_stack COMMAND`: the local stack from the command line."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local_stack import commands, devices, in_force, many_devices, postgres15, stack_env, tokens
from local_stack import console as web_console
from local_stack.errors import StackError
from local_stack.kafka import jars
from local_stack.mosquitto import find_program
from local_stack.settings import StackSettings, load
from local_stack.watch import run as watching

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
console = Console(stderr=True, highlight=False)
COLOURS = {"up": "green", "starting": "yellow", "waiting": "yellow", "down": "red"}


def say(line: str) -> None:
    console.print(f"[dim]·[/] {escape(line)}", soft_wrap=True)


@app.command()
def up() -> None:
    """Start everything; returns when all is ready. The stack stays up in the background."""
    settings = load()
    settings.in_force()  # a port that cannot be is refused before anything is built
    with console.status("building the web console"):
        asyncio.run(web_console.build(say))
    with console.status("starting the stack"):
        started = commands.up(settings, say)
    stack = stack_env.read(settings.directory)
    print("the stack is up" if started else "the stack was up already")
    _say_what_differs([] if started else commands.not_in_force(settings, os.environ))
    for name in ("GATEWAY_URL", "KAFKA_BOOTSTRAP", "MQTT_HOST", "MQTT_PORT"):
        print(f"  {name}={stack[name]}")
    print(f"  web console: {stack['GATEWAY_URL']}/app/")
    print(f"  the API's page: {stack['GATEWAY_URL']}/docs/")
    print(f"  more in {_shown(settings.directory / stack_env.FILE)}; logs in {_shown(settings.directory / 'logs')}")


def _say_what_differs(lines: list[str]) -> None:
    for line in [*lines, in_force.HOW] if lines else []:
        print(f"  {line}")


def _shown(path: Path) -> str:
    """Relative to where we are, where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@app.command()
def down() -> None:
    """Stop everything, in reverse order."""
    print("the stack is down" if commands.down(load()) else "the stack was not up")


@app.command()
def status() -> None:
    """Say which parts run."""
    table = Table("part", "state", "pid")
    for name, (state, pid) in commands.status(load().directory).items():
        table.add_row(name, f"[{COLOURS[state]}]{state}[/]", str(pid or ""))
    Console().print(table)


@app.command()
def restart(part: str) -> None:
    """Start a part again, stopping it first if it runs."""
    commands.restart(load().directory, part)
    print(f"{part} is ready")


@app.command()
def prepare() -> None:
    """Fetch what is missing on this machine, without starting anything."""

    async def fetch() -> None:
        await find_program("mosquitto", "mosquitto", say)
        await find_program("mosquitto_pub", "mosquitto-clients", say)
        await jars(say)
        await postgres15.fetch(say)
        await web_console.build(say)

    asyncio.run(fetch())


@app.command()
def token(
    tenant: str,
    role: str,
    subject: Annotated[str | None, typer.Option(help="who the token says it is; local-ROLE when left out")] = None,
) -> None:
    """Print a bearer token; ROLE may be a list with commas."""
    settings = load()
    key_file = Path(stack_env.read(settings.directory)["AUTH_KEY_FILE"])
    print(tokens.make(key_file, tenant, role, subject))


@app.command()
def device(tenant: str, name: str, device_type: str) -> None:
    """Register a device and give it an account at the broker."""
    settings: StackSettings = load()
    account = devices.make(settings.directory, tenant, name, device_type)
    print(f"MQTT host      {account.host}")
    print(f"MQTT port      {account.port}")
    print(f"MQTT user      {account.user}")
    print(f"MQTT password  {account.password}")
    print("\nhear its commands:\n  {}\n\nreport by hand:\n  {}".format(*account.lines()))


@app.command("devices")
def many(tenant: str, wanted: str, device_type: str) -> None:
    """Register many devices with accounts at the broker; WANTED is a file of ids or a pattern such as d[001-500]."""
    settings = load()
    device_ids = many_devices.names(wanted)
    file = many_devices.make(settings.directory, tenant, device_ids, device_type)
    port = stack_env.read(settings.directory)["MQTT_PORT"]
    print(f"{len(device_ids):,} devices of tenant {tenant}, with their passwords in {_shown(file)}; to simulate them:")
    print(f"  .venv/bin/python -m fleetsim run --devices {_shown(file)} --mqtt-port {port}")


@app.command()
def watch(
    campaign: Annotated[int, typer.Argument(min=1, help="the campaign's id")],
    tenant: Annotated[str, typer.Option(help="whose campaign it is, on the local stack")] = "demo",
    url: Annotated[str | None, typer.Option(help="another gateway than the local stack's")] = None,
    token: Annotated[str | None, typer.Option(envvar="TOKEN", help="a bearer token for it")] = None,
    forever: Annotated[bool, typer.Option("--forever", help="go on when the campaign is finished")] = False,
) -> None:
    """Show a campaign live, until it is finished; lines instead of a picture where there is no terminal."""
    place = watching.place(load().directory, tenant, url, token)
    try:
        asyncio.run(watching.watch(place, campaign, Console(highlight=False), forever=forever))
    except KeyboardInterrupt:  # how watching without end is meant to end
        print("stopped watching; the campaign goes on")


def main() -> None:
    try:
        app()
    except StackError as error:
        console.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
