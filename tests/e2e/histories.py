"""What the devices' histories say: commands that came, reports that went, in order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec import DecodeError
from msgspec.json import Decoder

from fleetsim.agent import Agent
from fleetsim.wire import Command, Report, delivered, read_command

_reports = Decoder(Report)


@dataclass(frozen=True, slots=True)
class Came:
    """A command at a device; `at` in seconds since 1970."""

    at: float
    device_id: str
    payload: bytes
    command: Command

    @property
    def key(self) -> tuple[int, str, int]:
        return self.command.campaign_id, self.device_id, self.command.attempt


@dataclass(frozen=True, slots=True)
class Went:
    """A report of an update; `taken`: the broker said that somebody has it."""

    at: float
    device_id: str
    report: Report
    taken: bool


def story(agent: Agent) -> Iterator[Came | Went]:
    """Commands and readable reports with a campaign, in the order in which they came and went."""
    device_id = agent.account.device_id
    for entry in agent.history.entries:
        if entry.what == "received":
            command = read_command(entry.payload)
            assert command is not None, f"{device_id} got what no device could read: {entry.payload!r}"
            yield Came(entry.at, device_id, entry.payload, command)
        elif entry.what == "sent":
            report = _report(entry.payload)
            if report is not None and report.campaign_id is not None:
                yield Went(entry.at, device_id, report, delivered(entry.reason_code))


def _report(payload: bytes) -> Report | None:
    try:
        return _reports.decode(payload)
    except DecodeError:
        return None


def commands(agents: Iterable[Agent]) -> list[Came]:
    """All commands that reached devices, oldest first."""
    came = [event for agent in agents for event in story(agent) if isinstance(event, Came)]
    return sorted(came, key=lambda event: event.at)


def reports(agent: Agent) -> list[Went]:
    return [event for event in story(agent) if isinstance(event, Went)]
