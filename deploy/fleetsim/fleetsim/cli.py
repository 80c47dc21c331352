"""The command line: which devices, on which broker, of which nature, for how long."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from fleetsim.connection import LinkLostError
from fleetsim.options import (
    DOWNLOAD_SECONDS,
    INSTALL_SECONDS,
    KINDS,
    LATE_SECONDS,
    OFFLINE_SECONDS,
    STORM_SECONDS,
    VERSION,
    OptionsError,
    RunOptions,
    SendOptions,
)
from fleetsim.recorder import HistoryLostError
from fleetsim.run import ENDED, INTERRUPTED, live
from fleetsim.send import send_to
from pulse.runtime.mqtt import MqttError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Simulated MQTT devices that take firmware updates.")
FAILED, REFUSED = 1, 2
WHO, WHERE, WRONG = "Which devices", "The broker", "What goes wrong"
TIME, LINK, RUN = "How updates go", "The network", "The run"


Tenant = Annotated[str | None, typer.Option(rich_help_panel=WHO, help="The owner of the devices of --ids")]
Ids = Annotated[str | None, typer.Option(rich_help_panel=WHO, help="Instead of a file: d{0..999}, gw-{0001..5000}")]
Devices = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        rich_help_panel=WHO,
        help='JSON lines: {"tenant_id", "device_id", "password", "device_type", "version"}; the first two suffice',
    ),
]
Password = Annotated[
    str | None,
    typer.Option(envvar="FLEETSIM_PASSWORD", rich_help_panel=WHO, help="Of --user, or of each device of --ids"),
]
PasswordFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, rich_help_panel=WHO, help="A file with it")
]
Host = Annotated[str, typer.Option(rich_help_panel=WHERE, help="Its name or address")]
Port = Annotated[int, typer.Option(min=1, max=65535, rich_help_panel=WHERE)]
Tls = Annotated[bool, typer.Option("--tls", rich_help_panel=WHERE, help="TLS, with the authorities this system trusts")]
Ca = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, rich_help_panel=WHERE, help="TLS, with the authorities of this file"),
]


@app.callback()
def fleetsim() -> None:
    """Simulated MQTT devices that take firmware updates."""


@app.command()
def run(
    devices: Devices = None,
    tenant: Tenant = None,
    ids: Ids = None,
    version: Annotated[str, typer.Option(rich_help_panel=WHO, help="What the devices of --ids run at first")] = VERSION,
    user: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=WHO,
            help="All devices behind a few connections, as this user of the broker, who may read all command topics "
            "and write all report topics; without it each has its own connection as {tenant}/device/{id}",
        ),
    ] = None,
    connections: Annotated[
        int | None, typer.Option(min=1, max=10_000, rich_help_panel=WHO, help="How few; else one for 2,500 devices")
    ] = None,
    password: Password = None,
    password_file: PasswordFile = None,
    mqtt_host: Host = "127.0.0.1",
    mqtt_port: Port = 1883,
    tls: Tls = False,
    ca: Ca = None,
    keepalive: Annotated[int, typer.Option(min=1, max=65535, rich_help_panel=WHERE, help="In seconds")] = 60,
    connect_rate: Annotated[
        float, typer.Option(min=0, rich_help_panel=WHERE, help="So many devices come a second; 0: as fast as they can")
    ] = 2_000,
    fail: Annotated[
        float, typer.Option(min=0, max=1, rich_help_panel=WRONG, help="Share of devices whose updates always fail")
    ] = 0.03,
    flaky: Annotated[
        float, typer.Option(min=0, max=1, rich_help_panel=WRONG, help="Share whose first attempt fails, and no other")
    ] = 0.0,
    failures: Annotated[
        str, typer.Option(rich_help_panel=WRONG, help="Kinds of failure; install=3,silence: the first 3 times as often")
    ] = KINDS,
    fail_seconds: Annotated[
        str | None,
        typer.Option(rich_help_panel=WRONG, help="How long an update takes that fails, when not as long as the others"),
    ] = None,
    download_seconds: Annotated[
        str | None, typer.Option(rich_help_panel=TIME, help=f"How long a download takes at least [{DOWNLOAD_SECONDS}]")
    ] = None,
    bandwidth: Annotated[
        str | None, typer.Option(rich_help_panel=TIME, help="Instead: bytes a second, like 20k..2M or 500k~1")
    ] = None,
    size: Annotated[
        str | None, typer.Option(rich_help_panel=TIME, help="Bytes of a download that is not real, like 1M..20M")
    ] = None,
    fetch: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            rich_help_panel=TIME,
            help="Share of downloads that are real, over HTTP, checked by size and SHA-256; the others only take their "
            "time [1; with --user 0]",
        ),
    ] = None,
    downloads: Annotated[
        int, typer.Option(min=1, max=4096, rich_help_panel=TIME, help="Real downloads at the same time")
    ] = 256,
    progress: Annotated[
        int, typer.Option(min=1, max=100, rich_help_panel=TIME, help="A report each so many percent; 100: none between")
    ] = 20,
    install_seconds: Annotated[
        str, typer.Option(rich_help_panel=TIME, help="How long an installation takes")
    ] = INSTALL_SECONDS,
    offline: Annotated[
        float, typer.Option(min=0, max=0.9, rich_help_panel=LINK, help="Share of the time without connection")
    ] = 0.0,
    offline_seconds: Annotated[
        str, typer.Option(rich_help_panel=LINK, help="How long each such spell is")
    ] = OFFLINE_SECONDS,
    storm_every: Annotated[
        float, typer.Option(min=0, rich_help_panel=LINK, help="Each so many seconds many connections are cut at once")
    ] = 0.0,
    storm_share: Annotated[
        float, typer.Option(min=0, max=1, rich_help_panel=LINK, help="Share of the devices that this hits")
    ] = 0.0,
    storm_seconds: Annotated[
        str, typer.Option(rich_help_panel=LINK, help="After that time they are back")
    ] = STORM_SECONDS,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, rich_help_panel=LINK, help="Share of reports that go out twice")
    ] = 0.0,
    late: Annotated[
        float, typer.Option(min=0, max=1, rich_help_panel=LINK, help="Share of reports that newer ones overtake")
    ] = 0.0,
    late_seconds: Annotated[
        str, typer.Option(rich_help_panel=LINK, help="How long those are under way")
    ] = LATE_SECONDS,
    seed: Annotated[
        int, typer.Option(rich_help_panel=RUN, help="The same seed: the same fates, whatever the timing")
    ] = 1,
    run_for: Annotated[
        float | None, typer.Option("--for", min=0.1, rich_help_panel=RUN, help="End after so many seconds")
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(min=0.1, rich_help_panel=RUN, help="End when for so many seconds nothing was at work"),
    ] = None,
    presence: Annotated[
        bool,
        typer.Option(rich_help_panel=RUN, help="Devices without anything to report say what they run"),
    ] = True,
    state: Annotated[
        Path | None,
        typer.Option(dir_okay=False, rich_help_panel=RUN, help="A file in which memories survive a restart"),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(dir_okay=False, rich_help_panel=RUN, help="Append all that they receive and send, as JSON lines"),
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(dir_okay=False, rich_help_panel=RUN, help="Write the counts at the end as JSON")
    ] = None,
) -> None:
    """Connect devices and let them take updates, until --for or --idle, Ctrl-C or SIGTERM.

    A SPREAD is a number (2), a span (1..3) or a log-normal (20~0.5: median, sigma); k, M and G stand for thousands.
    Kinds of failure: download (the file is not there), checksum (it is damaged), install (the new firmware does not
    start), silence (nothing is heard after the installation), rollback (the device runs the old version again and says
    so). Exit codes: 0 ended, 1 the history cannot be written, 2 refused, 130 Ctrl-C. More: docs/fleetsim.md.
    """
    options = RunOptions(**locals())
    raise typer.Exit(_ran(live(options)))


@app.command()
def send(
    devices: Devices = None,
    tenant: Tenant = None,
    ids: Ids = None,
    user: Annotated[
        str | None, typer.Option(rich_help_panel=WHO, help="Who may write all command topics and read all reports")
    ] = None,
    password: Password = None,
    password_file: PasswordFile = None,
    mqtt_host: Host = "127.0.0.1",
    mqtt_port: Port = 1883,
    tls: Tls = False,
    ca: Ca = None,
    rate: Annotated[float, typer.Option(min=0, help="Commands a second; 0: as fast as the broker takes them")] = 500,
    campaign: Annotated[int, typer.Option(min=1, help="Another one for each time that devices are to update")] = 1,
    to_version: Annotated[str, typer.Option(help="What devices are to run")] = "2.0.0",
    url: Annotated[str, typer.Option(help="The file, for devices whose downloads are real")] = "http://localhost/none",
    size: Annotated[int, typer.Option(min=1, help="Its size in bytes")] = 1_000_000,
    checksum: Annotated[str, typer.Option(help="Its SHA-256 in hex")] = "0" * 64,
) -> None:
    """Send one update command to each device and count what comes back: a rollout without any service behind it.

    To see a fleet at work on a broker of yours, or to measure it. Ends when all devices that took their command have
    ended, or after 10 s without a report.
    """
    options = SendOptions(**locals())
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
