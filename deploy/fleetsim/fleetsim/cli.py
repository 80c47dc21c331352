"""The command line: a fleet from a file, until it is stopped."""

import asyncio
import resource
import signal
import ssl
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from fleetsim.accounts import read_accounts
from fleetsim.connection import Account, Broker
from fleetsim.fleet import Fleet
from fleetsim.nature import Behaviour, Failure, Span
from fleetsim.world import Tally

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Simulated MQTT devices that take firmware updates.")
PLAIN_EVERY_SECONDS = 5.0
KINDS = ",".join(Failure)


@app.callback()
def fleetsim() -> None:
    """Simulated MQTT devices that take firmware updates."""


def seconds(text: str) -> Span:
    """`2` or `1..3`, in seconds. Raises typer.BadParameter for anything else."""
    least, dots, most = text.partition("..")
    try:
        return float(least), float(most if dots else least)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number of seconds nor a span like 1..3") from None


def kinds(text: str) -> tuple[Failure, ...]:
    """Kinds of failure, with commas between. Raises typer.BadParameter for an unknown one."""
    try:
        return tuple(Failure(kind.strip()) for kind in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: the kinds of failure are {KINDS}") from None


@app.command()
def run(
    devices: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            help='JSON lines: {"tenant_id", "device_id", "password", "device_type", "version"}',
        ),
    ],
    mqtt_host: Annotated[str, typer.Option(help="The MQTT broker")] = "127.0.0.1",
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535)] = 1883,
    mqtt_ca_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Connect with TLS, trusting this authority")
    ] = None,
    fail: Annotated[float, typer.Option(min=0, max=1, help="Share of devices whose updates always fail")] = 0.03,
    flaky: Annotated[float, typer.Option(min=0, max=1, help="Share whose first attempt fails, and no other")] = 0.0,
    failures: Annotated[str, typer.Option(help="Kinds of failure, drawn evenly")] = KINDS,
    offline: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the time without connection")] = 0.05,
    offline_seconds: Annotated[str, typer.Option(help="How long each such spell is")] = "3..10",
    download_seconds: Annotated[str, typer.Option(help="How long a download takes at least")] = "1..3",
    install_seconds: Annotated[str, typer.Option(help="How long an installation takes")] = "1..3",
    fail_seconds: Annotated[
        str | None, typer.Option(help="How long an update takes that fails, when not as long as the others")
    ] = None,
    downloads: Annotated[int, typer.Option(min=1, max=4096, help="Downloads at the same time")] = 256,
    seed: Annotated[int, typer.Option(help="The same seed: the same failures and offline spells")] = 1,
    state: Annotated[
        Path | None, typer.Option(dir_okay=False, help="A file in which the devices' memories survive a restart")
    ] = None,
) -> None:
    """Connect every device of a file and let them take updates, until Ctrl-C or SIGTERM.

    Each device has an MQTT 5 connection of its own, downloads the firmware over HTTP, checks its size and SHA-256,
    and reports. Failures: `download` (the file is not there), `checksum` (it is damaged), `install` (the new firmware
    does not start), `silence` (nothing is heard after the installation). While a device is offline only its
    connection to the broker is down; a download that has begun goes on.
    """
    try:
        accounts = read_accounts(devices)
        behaviour = Behaviour(
            fail=fail,
            flaky=flaky,
            failures=kinds(failures),
            offline=offline,
            offline_seconds=seconds(offline_seconds),
            download_seconds=seconds(download_seconds),
            install_seconds=seconds(install_seconds),
            fail_seconds=seconds(fail_seconds) if fail_seconds else None,
            seed=seed,
        )
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from error
    _allow_open_files(len(accounts) + downloads + 64)
    tls = ssl.create_default_context(cafile=mqtt_ca_file) if mqtt_ca_file else None
    asyncio.run(_live(accounts, Broker(mqtt_host, mqtt_port, tls=tls), behaviour, state, downloads))


def _allow_open_files(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed > hard:
        raise typer.BadParameter(f"{needed} open files are needed, this system allows a process {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


async def _live(
    accounts: list[Account], broker: Broker, behaviour: Behaviour, state: Path | None, downloads: int
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Fleet(accounts, broker, behaviour, state=state, downloads=downloads) as fleet:
        await _show(fleet, stop)


async def _show(fleet: Fleet, stop: asyncio.Event) -> None:
    """One line that changes in place on a terminal; elsewhere a line at once, and then ever less often."""
    console = Console()
    if not console.is_terminal:
        pause = 0.5
        while not await _set_within(stop, pause):
            console.print(line(fleet.tally, len(fleet)), soft_wrap=True, highlight=False, markup=False)
            pause = min(2 * pause, PLAIN_EVERY_SECONDS)
        return
    with Live(console=console, auto_refresh=False) as live:
        while not await _set_within(stop, 0.5):
            live.update(line(fleet.tally, len(fleet)), refresh=True)


async def _set_within(event: asyncio.Event, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            return await event.wait()
    except TimeoutError:
        return False


def line(tally: Tally, devices: int) -> str:
    """What the fleet has done so far, in one line."""
    trouble = f"; {tally.trouble}" if tally.trouble and tally.connected < devices else ""
    return (
        f"{tally.connected} of {devices} devices connected, {tally.commands} commands, {tally.succeeded} installed, "
        f"{tally.failed} failed, {tally.silent} fell silent, {tally.reports} reports delivered, "
        f"{tally.undelivered} refused or unheard{trouble}"
    )
