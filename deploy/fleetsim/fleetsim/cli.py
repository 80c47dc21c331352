"""The command line: which devices, on which broker, of which nature, for how long."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Annotated

import typer
import uvloop

from fleetsim import arguments
from fleetsim.connection import LinkLostError
from fleetsim.options import (
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


@app.callback()
def fleetsim() -> None:
    """Simulated MQTT devices that take firmware updates."""


@app.command()
def run(
    devices: arguments.Devices = None,
    tenant: arguments.Tenant = None,
    ids: arguments.Ids = None,
    version: arguments.Version = VERSION,
    user: arguments.User = None,
    connections: arguments.Connections = None,
    password: arguments.Password = None,
    password_file: arguments.PasswordFile = None,
    mqtt_host: arguments.Host = "127.0.0.1",
    mqtt_port: arguments.Port = 1883,
    tls: arguments.Tls = False,
    ca: arguments.Ca = None,
    keepalive: arguments.Keepalive = 60,
    connect_rate: arguments.ConnectRate = 2_000,
    fail: arguments.Fail = 0.03,
    flaky: arguments.Flaky = 0.0,
    failures: arguments.Failures = KINDS,
    fail_seconds: arguments.FailSeconds = None,
    download_seconds: arguments.DownloadSeconds = None,
    bandwidth: arguments.Bandwidth = None,
    size: arguments.Size = None,
    fetch: arguments.Fetch = None,
    downloads: arguments.Downloads = 256,
    progress: arguments.Progress = 20,
    install_seconds: arguments.InstallSeconds = INSTALL_SECONDS,
    offline: arguments.Offline = 0.0,
    offline_seconds: arguments.OfflineSeconds = OFFLINE_SECONDS,
    storm_every: arguments.StormEvery = 0.0,
    storm_share: arguments.StormShare = 0.0,
    storm_seconds: arguments.StormSeconds = STORM_SECONDS,
    duplicates: arguments.Duplicates = 0.0,
    late: arguments.Late = 0.0,
    late_seconds: arguments.LateSeconds = LATE_SECONDS,
    seed: arguments.Seed = 1,
    run_for: arguments.RunFor = None,
    idle: arguments.Idle = None,
    presence: arguments.Presence = True,
    state: arguments.State = None,
    history: arguments.History = None,
    summary: arguments.Summary = None,
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
    devices: arguments.Devices = None,
    tenant: arguments.Tenant = None,
    ids: arguments.Ids = None,
    user: Annotated[
        str | None,
        typer.Option(rich_help_panel=arguments.WHO, help="Who may write all command topics and read all reports"),
    ] = None,
    password: arguments.Password = None,
    password_file: arguments.PasswordFile = None,
    mqtt_host: arguments.Host = "127.0.0.1",
    mqtt_port: arguments.Port = 1883,
    tls: arguments.Tls = False,
    ca: arguments.Ca = None,
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
