"""The options of the command line one by one, with what `--help` says of each."""

from pathlib import Path
from typing import Annotated

import typer

WHO, WHERE, WRONG = "Which devices", "The broker", "What goes wrong"
TIME, LINK, RUN = "How updates go", "The network", "The run"
DOWNLOAD_SECONDS = "1..3"

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

Cert = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, rich_help_panel=WHERE, help="TLS, with this client certificate (PEM)"),
]
Key = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, rich_help_panel=WHERE, help="Its key, without a passphrase")
]

Version = Annotated[str, typer.Option(rich_help_panel=WHO, help="What devices run at first, where a file does not say")]
User = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=WHO,
        help="All devices behind a few connections, as this user of the broker, who may read all command topics "
        "and write all report topics; without it each has its own connection as {tenant}/device/{id}",
    ),
]
Connections = Annotated[
    int | None, typer.Option(min=1, max=10_000, rich_help_panel=WHO, help="How few; else one for 2,500 devices")
]
Keepalive = Annotated[int, typer.Option(min=1, max=65535, rich_help_panel=WHERE, help="In seconds")]
ConnectRate = Annotated[
    float, typer.Option(min=0, rich_help_panel=WHERE, help="So many devices come a second; 0: as fast as they can")
]
Fail = Annotated[
    float, typer.Option(min=0, max=1, rich_help_panel=WRONG, help="Share of devices whose updates always fail")
]
Flaky = Annotated[
    float, typer.Option(min=0, max=1, rich_help_panel=WRONG, help="Share whose first attempt fails, and no other")
]
Failures = Annotated[
    str, typer.Option(rich_help_panel=WRONG, help="Kinds of failure; install=3,silence: the first 3 times as often")
]
FailSeconds = Annotated[
    str | None,
    typer.Option(rich_help_panel=WRONG, help="How long an update takes that fails, when not as long as the others"),
]
DownloadSeconds = Annotated[
    str | None, typer.Option(rich_help_panel=TIME, help=f"How long a download takes at least [{DOWNLOAD_SECONDS}]")
]
Bandwidth = Annotated[
    str | None, typer.Option(rich_help_panel=TIME, help="Instead: bytes a second, like 20k..2M or 500k~1")
]
Size = Annotated[
    str | None, typer.Option(rich_help_panel=TIME, help="Bytes of a download that is not real, like 1M..20M")
]
Fetch = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        rich_help_panel=TIME,
        help="Share of downloads that are real, over HTTP, checked by size and SHA-256; the others only take their "
        "time [1; with --user 0]",
    ),
]
Downloads = Annotated[int, typer.Option(min=1, max=4096, rich_help_panel=TIME, help="Real downloads at the same time")]
Progress = Annotated[
    int, typer.Option(min=1, max=100, rich_help_panel=TIME, help="A report each so many percent; 100: none between")
]
InstallSeconds = Annotated[str, typer.Option(rich_help_panel=TIME, help="How long an installation takes")]
Offline = Annotated[
    float, typer.Option(min=0, max=0.9, rich_help_panel=LINK, help="Share of the time without connection")
]
OfflineSeconds = Annotated[str, typer.Option(rich_help_panel=LINK, help="How long each such spell is")]
StormEvery = Annotated[
    float, typer.Option(min=0, rich_help_panel=LINK, help="Each so many seconds many connections are cut at once")
]
StormShare = Annotated[
    float, typer.Option(min=0, max=1, rich_help_panel=LINK, help="Share of the devices that this hits")
]
StormSeconds = Annotated[str, typer.Option(rich_help_panel=LINK, help="After that time they are back")]
Duplicates = Annotated[
    float, typer.Option(min=0, max=1, rich_help_panel=LINK, help="Share of reports that go out twice")
]
Late = Annotated[
    float, typer.Option(min=0, max=1, rich_help_panel=LINK, help="Share of reports that newer ones overtake")
]
LateSeconds = Annotated[str, typer.Option(rich_help_panel=LINK, help="How long those are under way")]
ClockAhead = Annotated[
    float, typer.Option(rich_help_panel=WRONG, help="Seconds that the devices' clocks are ahead; behind if below 0")
]
Seed = Annotated[int, typer.Option(rich_help_panel=RUN, help="The same seed: the same fates, whatever the timing")]
RunFor = Annotated[float | None, typer.Option("--for", min=0.1, rich_help_panel=RUN, help="End after so many seconds")]
Idle = Annotated[
    float | None,
    typer.Option(min=0.1, rich_help_panel=RUN, help="End when for so many seconds nothing was at work"),
]
Presence = Annotated[
    bool,
    typer.Option(rich_help_panel=RUN, help="Devices without anything to report say what they run"),
]
State = Annotated[
    Path | None,
    typer.Option(dir_okay=False, rich_help_panel=RUN, help="A file in which memories survive a restart"),
]
History = Annotated[
    Path | None,
    typer.Option(dir_okay=False, rich_help_panel=RUN, help="Append all that they receive and send, as JSON lines"),
]
Summary = Annotated[
    Path | None, typer.Option(dir_okay=False, rich_help_panel=RUN, help="Write the counts at the end as JSON")
]
