"""A history, sorted so that each guarantee finds what it is about."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

from msgspec import DecodeError
from msgspec.json import Decoder

from fleetsim.wire import Command, Report, read_command
from tests.chaos.history import (
    Asked,
    Carried,
    Device,
    Line,
    Requested,
    Written,
)

DeviceKey: TypeAlias = tuple[str, str]
"""A tenant and a device."""
CommandKey: TypeAlias = tuple[str, int, str, int]
"""A tenant, a campaign, a device and an attempt."""
L = TypeVar("L", bound=Line)
_reports = Decoder(Report)


class Update(NamedTuple):
    """Which update a device began or ended."""

    campaign_id: int
    attempt: int
    version: str = ""
    outcome: str | None = None


_updates: Decoder[dict[str, object]] = Decoder(dict[str, object])


def command_of(line: Written | Carried | Device) -> Command | None:
    """The command that a line carries; None for what no device could read."""
    return read_command(line.payload.encode())


def report_of(line: Device) -> Report | None:
    """The report that a device sent; None for what is none, or is only its presence."""
    try:
        report = _reports.decode(line.payload)
    except DecodeError:
        return None
    return report if report.campaign_id is not None and report.status is not None else None


def update_of(line: Device) -> Update:
    found = _updates.decode(line.payload)
    return Update(
        int(str(found["campaign_id"])),
        int(str(found["attempt"])),
        str(found.get("version", "")),
        str(found["outcome"]) if "outcome" in found else None,
    )


@dataclass(slots=True)
class Story:
    """The lines of a history by kind, each kind in order.

    `observed`: by so many seconds commands may have been seen closer together than they were written.
    """

    lines: list[Line]
    observed: float = 0.0
    _kinds: dict[type, list[Line]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for line in sorted(self.lines, key=lambda line: line.at):
            self._kinds[type(line)].append(line)

    def of(self, kind: type[L]) -> list[L]:
        """All lines of a kind, in order."""
        return self._kinds.get(kind, [])  # type: ignore[return-value]  # filed by their own type

    def by_device(self) -> dict[DeviceKey, list[Device]]:
        found: dict[DeviceKey, list[Device]] = defaultdict(list)
        for line in self.of(Device):
            found[line.tenant, line.device].append(line)
        return found

    def requests(self) -> dict[CommandKey, list[Requested]]:
        found: dict[CommandKey, list[Requested]] = defaultdict(list)
        for line in self.of(Requested):
            found[line.tenant, line.campaign, line.device, line.attempt].append(line)
        return found

    def asked_of(self, campaign: int) -> list[Asked]:
        return [line for line in self.of(Asked) if line.campaign == campaign]
