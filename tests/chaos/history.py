"""The recorded history of a run: one JSON line for each thing that was asked, carried, done, seen or broken on purpose.

`at` is in seconds of this machine's monotonic clock, which all its processes share.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="what"):
    """What all lines share."""

    at: float


class Made(Event, frozen=True, kw_only=True, tag="made"):
    """A campaign was created for so many devices; `rate` in devices per second."""

    tenant: str
    campaign: int
    devices: int
    rate: float


class Asked(Event, frozen=True, kw_only=True, tag="asked"):
    """A control change over REST, answered at `answered`. `status` is HTTP's; `rate` in devices per second."""

    tenant: str
    campaign: int
    change: Literal["start", "pause", "abort", "rate", "retry"]
    answered: float
    status: int
    rate: float | None = None


class Trespassed(Event, frozen=True, kw_only=True, tag="trespassed"):
    """Somebody of a tenant asked for what is another's; 404 is the right answer, 5xx none."""

    tenant: str
    path: str
    status: int


class Written(Event, frozen=True, kw_only=True, tag="written"):
    """A dispatcher wrote a command to its broker's socket, not before `earliest`: that long nobody had looked."""

    by: str
    earliest: float
    tenant: str
    device: str
    payload: str


class Carried(Event, frozen=True, kw_only=True, tag="carried"):
    """The broker delivered a command to an observer."""

    tenant: str
    device: str
    payload: str


class Device(Event, frozen=True, kw_only=True, tag="device"):
    """What a device did. `sent`: the broker has answered with `reason_code`; `lost`: the connection went before that.

    `began` and `ended` are an update, with its campaign, attempt and outcome as payload.
    """

    tenant: str
    device: str
    did: Literal["connected", "disconnected", "received", "began", "ended", "sent", "lost"]
    payload: str = ""
    reason_code: int = 0


class Requested(Event, frozen=True, kw_only=True, tag="requested"):
    """A dispatch request that Kafka has; `at` is when it was written there."""

    tenant: str
    device: str
    campaign: int
    attempt: int
    epoch: int
    bucket: str
    command: str


class Announced(Event, frozen=True, kw_only=True, tag="announced"):
    """The last word of the control topic on a campaign."""

    campaign: int
    epoch: int
    status: str


class Miscounted(Event, frozen=True, kw_only=True, tag="miscounted"):
    """A snapshot in which a counter was not what the rows are."""

    campaign: int
    stage: int
    counter: str
    counted: int | None
    rows: int | None


class TwiceActive(Event, frozen=True, kw_only=True, tag="twice_active"):
    """A snapshot in which two campaigns had a device at work."""

    tenant: str
    device: str
    campaigns: list[int]


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """A row was seen finished, or finished and different from before; `digest` is of all its columns."""

    tenant: str
    campaign: int
    device: str
    status: str
    digest: str
    skip_reason: str | None = None


class Unfinished(Event, frozen=True, kw_only=True, tag="unfinished"):
    """A row that had been seen finished was seen in another state."""

    tenant: str
    campaign: int
    device: str
    status: str


class Looked(Event, frozen=True, kw_only=True, tag="looked"):
    """A snapshot of the rows was taken."""


class Row(Event, frozen=True, kw_only=True, tag="row"):
    """A device's row at the end of the run."""

    tenant: str
    campaign: int
    device: str
    status: str
    attempt: int
    failures: int
    error_code: str | None = None
    skip_reason: str | None = None
    completed_at: float | None = None


class CampaignRow(Event, frozen=True, kw_only=True, tag="campaign"):
    """A campaign's row at the end of the run."""

    tenant: str
    campaign: int
    status: str
    epoch: int
    completed_at: float | None = None


class Fault(Event, frozen=True, kw_only=True, tag="fault"):
    """Something was broken on purpose, from `at` to `lifted`; `kind` such as `kill`, `target` such as `kafka`."""

    number: int
    kind: str
    target: str
    lifted: float
    detail: str = ""


class Recovered(Event, frozen=True, kw_only=True, tag="recovered"):
    """All that a fault had hit works again. `aspect`: what that was found by; `alone`: no other fault was near."""

    fault: int
    kind: str
    target: str
    aspect: str
    seconds: float | None
    alone: bool


class Over(Event, frozen=True, kw_only=True, tag="over"):
    """The run waited for everything to end: whatever is open now has been forgotten."""


Line: TypeAlias = (
    Made
    | Asked
    | Trespassed
    | Written
    | Carried
    | Device
    | Requested
    | Announced
    | Miscounted
    | TwiceActive
    | Finished
    | Unfinished
    | Looked
    | Row
    | CampaignRow
    | Fault
    | Recovered
    | Over
)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def write(line: Line) -> bytes:
    return _encoder.encode(line) + b"\n"


def read(file: Path) -> Iterator[Line]:
    """The lines of a history. Raises msgspec.DecodeError for one that is none."""
    with file.open("rb") as lines:
        for line in lines:
            yield _decoder.decode(line)


class Recorder:
    """Appends to a history's file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("wb")

    def note(self, *lines: Line) -> None:
        self._file.writelines(write(line) for line in lines)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def sorted_lines(lines: Iterable[Line]) -> list[Line]:
    """In the order in which things happened."""
    return sorted(lines, key=lambda line: line.at)
