"""What the command line has said, checked: each contradiction is refused with one sentence."""

import resource
import ssl
from dataclasses import dataclass
from typing import Annotated

import typer

from fleetsim import arguments
from fleetsim.accounts import numbered, read_accounts
from fleetsim.connection import Account, Broker, Login
from fleetsim.draws import Span, Spread, read_spread
from fleetsim.fleet import Shared
from fleetsim.nature import Behaviour, Failure

KINDS = ",".join(Failure)
SPARE_FILES = 64
VERSION = "1.0.0"
INSTALL_SECONDS, OFFLINE_SECONDS = "1..3", "3..10"
LATE_SECONDS, STORM_SECONDS = "1..10", "0.5..2"


class OptionsError(Exception):
    """What was asked for makes no sense, in one sentence."""


Contradictions = list[tuple[bool, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which devices, and how to reach their broker. Each field is an option of the command line."""

    devices: arguments.Devices = None
    tenant: arguments.Tenant = None
    ids: arguments.Ids = None
    user: arguments.User = None
    password: arguments.Password = None
    password_file: arguments.PasswordFile = None
    mqtt_host: arguments.Host = "127.0.0.1"
    mqtt_port: arguments.Port = 1883
    tls: arguments.Tls = False
    ca: arguments.Ca = None
    cert: arguments.Cert = None
    key: arguments.Key = None

    def check(self) -> None:
        """Raises OptionsError for the first contradiction."""
        for holds, text in self.contradictions():
            if holds:
                raise OptionsError(text)

    def contradictions(self) -> Contradictions:
        return [
            ((self.devices is None) == (self.ids is None), "which devices? give either --devices or --ids"),
            (bool(self.ids) != bool(self.tenant), "--tenant and --ids belong together"),
            (bool(self.password) and bool(self.password_file), "--password and --password-file exclude one another"),
            (bool(self.cert) != bool(self.key), "--cert and --key belong together"),
        ]

    def accounts(self, version: str) -> list[Account]:
        """They run `version` at first, where a file says nothing else. Raises OptionsError."""
        try:
            if self.devices is not None:
                return read_accounts(self.devices, version)
            return numbered(self.tenant or "", self.ids or "", self._device_password(), version)
        except (ValueError, OSError) as error:
            raise OptionsError(str(error)) from error

    def broker(self, keepalive: int = 60) -> Broker:
        """Raises OptionsError when a file of TLS is none."""
        try:
            context = ssl.create_default_context(cafile=self.ca) if self.tls or self.ca or self.cert else None
        except (ssl.SSLError, OSError) as error:
            raise OptionsError(f"--ca {self.ca}: {error}") from error
        try:
            if context is not None and self.cert is not None:
                context.load_cert_chain(self.cert, self.key, password="")  # else OpenSSL would ask for one
        except (ssl.SSLError, OSError) as error:
            raise OptionsError(f"--cert {self.cert}, --key {self.key}: {error}") from error
        return Broker(self.mqtt_host, self.mqtt_port, keepalive=keepalive, tls=context)

    def login(self) -> Login:
        """Of --user. Raises OptionsError when the password cannot be read."""
        return Login(self.user, self._password())

    def _device_password(self) -> str:
        return "" if self.user else self._password() or ""

    def _password(self) -> str | None:
        if self.password_file is None:
            return self.password
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise OptionsError(f"--password-file: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(Access):
    """As `python -m fleetsim run --help` explains them."""

    version: arguments.Version = VERSION
    connections: arguments.Connections = None
    keepalive: arguments.Keepalive = 60
    connect_rate: arguments.ConnectRate = 2_000
    fail: arguments.Fail = 0.03
    flaky: arguments.Flaky = 0.0
    failures: arguments.Failures = KINDS
    fail_seconds: arguments.FailSeconds = None
    download_seconds: arguments.DownloadSeconds = None
    bandwidth: arguments.Bandwidth = None
    size: arguments.Size = None
    fetch: arguments.Fetch = None
    downloads: arguments.Downloads = 256
    progress: arguments.Progress = 20
    install_seconds: arguments.InstallSeconds = INSTALL_SECONDS
    offline: arguments.Offline = 0.0
    offline_seconds: arguments.OfflineSeconds = OFFLINE_SECONDS
    storm_every: arguments.StormEvery = 0.0
    storm_share: arguments.StormShare = 0.0
    storm_seconds: arguments.StormSeconds = STORM_SECONDS
    duplicates: arguments.Duplicates = 0.0
    late: arguments.Late = 0.0
    late_seconds: arguments.LateSeconds = LATE_SECONDS
    clock_ahead: arguments.ClockAhead = 0.0
    seed: arguments.Seed = 1
    run_for: arguments.RunFor = None
    idle: arguments.Idle = None
    presence: arguments.Presence = True
    state: arguments.State = None
    history: arguments.History = None
    summary: arguments.Summary = None

    def contradictions(self) -> Contradictions:
        files = [file.resolve() for file in (self.devices, self.state, self.history, self.summary) if file]
        has_password = bool(self.password or self.password_file)
        return [
            *Access.contradictions(self),
            (bool(self.connections and not self.user), "--connections needs a --user who speaks for all devices"),
            (
                bool(self.devices) and not self.user and has_password,
                "the devices of a file have their own passwords there: --password needs --ids or --user",
            ),
            (bool(self.download_seconds and self.bandwidth), "--download-seconds and --bandwidth exclude one another"),
            (bool(self.size) and self.fetched == 1, "--size is for downloads that are not real: give --fetch below 1"),
            (len(set(files)) < len(files), "the same file is named twice"),
        ]

    @property
    def fetched(self) -> float:
        """The share of real downloads: all with a connection each, none behind a few, if it is not said."""
        return self.fetch if self.fetch is not None else float(self.user is None)

    def shared(self) -> Shared | None:
        """Who speaks for all devices. Raises OptionsError when the password cannot be read."""
        return Shared(self.login(), self.connections) if self.user else None

    def behaviour(self) -> Behaviour:
        """Raises OptionsError."""
        try:
            return Behaviour(
                fail=self.fail,
                flaky=self.flaky,
                failures=kinds(self.failures),
                offline=self.offline,
                offline_seconds=span(self.offline_seconds),
                download_seconds=read_spread(self.download_seconds or arguments.DOWNLOAD_SECONDS),
                install_seconds=read_spread(self.install_seconds),
                fail_seconds=_spread(self.fail_seconds),
                bandwidth=_spread(self.bandwidth),
                size=_spread(self.size),
                fetch=self.fetched,
                progress_percent=self.progress,
                duplicates=self.duplicates,
                late=self.late,
                late_seconds=span(self.late_seconds),
                storm_every=self.storm_every,
                storm_share=self.storm_share,
                storm_seconds=span(self.storm_seconds),
                clock_ahead=self.clock_ahead,
                seed=self.seed,
            )
        except ValueError as error:
            raise OptionsError(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions(Access):
    """As `python -m fleetsim send --help` explains them."""

    user: Annotated[
        str | None,
        typer.Option(rich_help_panel=arguments.WHO, help="Who may write all command topics and read all reports"),
    ] = None
    rate: Annotated[float, typer.Option(min=0, help="Commands a second; 0: as fast as the broker takes them")] = 500
    campaign: Annotated[int, typer.Option(min=1, help="Another one for each time that devices are to update")] = 1
    to_version: Annotated[str, typer.Option(help="What devices are to run")] = "2.0.0"
    url: Annotated[str, typer.Option(help="The file, for devices whose downloads are real")] = "http://localhost/none"
    size: Annotated[int, typer.Option(min=1, help="Its size in bytes")] = 1_000_000
    checksum: Annotated[str, typer.Option(help="Its SHA-256 in hex")] = "0" * 64


def kinds(text: str) -> tuple[Failure, ...]:
    """`install=3,silence`: kinds of failure, the first three times as often. Raises ValueError for an unknown one."""
    drawn: list[Failure] = []
    for part in text.split(","):
        kind, _, weight = part.strip().partition("=")
        try:
            drawn += [Failure(kind)] * int(weight or 1)
        except ValueError:
            raise ValueError(
                f"{part!r}: the kinds of failure are {KINDS}; a weight goes behind, as in install=3"
            ) from None
    return tuple(drawn)


def span(text: str) -> Span:
    """`2` or `1..3`. Raises ValueError for anything else."""
    spread = read_spread(text)
    if isinstance(spread, tuple):
        return spread
    raise ValueError(f"{text!r}: here only a number or a span like 1..3 is possible")


def _spread(text: str | None) -> Spread | None:
    return read_spread(text) if text else None


def allow_open_files(needed: int) -> None:
    """Raise this process's limit. Raises OptionsError when the system does not allow so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed + SPARE_FILES
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise OptionsError(
            f"{wanted} open files are needed, this system allows a process {hard}: raise `ulimit -Hn`, take fewer "
            "devices, or put them behind a few connections with --user"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
