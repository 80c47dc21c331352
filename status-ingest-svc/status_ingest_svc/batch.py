"""Messages as they arrived, sorted by how they must be written: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pulse.contracts.status import FINISHED, REPORTS, Event, Heard, merge
from status_ingest_svc.reading import Campaign, Device, Message, Presence, Refused, of_campaign
from status_ingest_svc.store import Applied

WORTH_HALVING = 200
"""Messages; with fewer, a transaction costs more than what it does."""


class Taken(NamedTuple):
    """What a message says of a campaign's device, and the message itself."""

    heard: Heard
    message: Message


class Aside(NamedTuple):
    """A message for the quarantine, and why."""

    message: Message
    refused: Refused


class Claim(NamedTuple):
    """A device's word on what it runs; that of a success counts only if the success did."""

    device: Device
    version: str
    success: tuple[int, str] | None


@dataclass(slots=True)
class Part:
    """What one transaction writes: all reports and results with an attempt, or all without."""

    taken: list[Taken] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    devices: set[Device] = field(default_factory=set)
    """All that were heard, also those whose message has no place in a row."""

    def halves(self) -> "list[Part]":
        """Two parts that have no device in common, or this one where that is not worth a second transaction."""
        if len(self.taken) < WORTH_HALVING:
            return [self]
        halves = [Part(), Part()]
        for taken in self.taken:
            halves[_side(taken.heard.device_id)].taken.append(taken)
        for claim in self.claims:
            halves[_side(claim.device[1])].claims.append(claim)
        for device in self.devices:
            halves[_side(device[1])].devices.add(device)
        return [half for half in halves if half]

    def events(self) -> list[Heard]:
        """At most one for each row."""
        return merge(taken.heard for taken in self.taken)

    def __bool__(self) -> bool:
        return bool(self.taken or self.devices)


@dataclass(slots=True)
class Batch:
    """Each message is in exactly one of these, presence as a claim."""

    numbered: Part = field(default_factory=Part)
    bare: Part = field(default_factory=Part)
    presences: list[Message] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)


def sort(messages: Iterable[Message], campaigns: Mapping[int, Campaign]) -> Batch:
    """Sorts a batch; `campaigns` are those of it that exist."""
    batch = Batch()
    for message in messages:
        said = message.said
        if isinstance(said, Heard):
            campaign = campaigns.get(said.campaign_id)
            said = of_campaign(said, campaign)
            if campaign is not None and isinstance(said, Heard):
                _take(batch, Taken(said, message), campaign.version)
        if isinstance(said, Presence):
            batch.presences.append(message)
            batch.numbered.claims.append(Claim(said.device, said.version, None))
            batch.numbered.devices.add(said.device)
        elif isinstance(said, Refused):
            batch.aside.append(Aside(message, said))
            if said.device is not None:
                batch.numbered.devices.add(said.device)
    return batch


def _side(device_id: str) -> int:
    return hash(device_id) & 1


def _take(batch: Batch, taken: Taken, version: str) -> None:
    heard = taken.heard
    part = batch.bare if heard.attempt is None and heard.event in REPORTS else batch.numbered
    part.taken.append(taken)
    if heard.event in REPORTS:
        device = (heard.tenant_id, heard.device_id)
        part.devices.add(device)
        if heard.event is Event.SUCCESS:
            part.claims.append(Claim(device, version, heard.key))


def versions(part: Part, applied: Iterable[Applied]) -> dict[Device, str | None]:
    """What to note of each device that was heard: the last version that counts, or None."""
    succeeded = {a.heard.key for a in applied if a.heard.event is Event.SUCCESS and a.becomes is not None}
    seen: dict[Device, str | None] = dict.fromkeys(part.devices)
    for claim in part.claims:
        if claim.success is None or claim.success in succeeded:
            seen[claim.device] = claim.version
    return seen


def refusal(applied: Applied) -> Refused | None:
    """Why an event must go to the quarantine, or None."""
    heard = applied.heard
    if applied.was is None:
        return Refused("unknown_device", f"device {heard.device_id} is not in campaign {heard.campaign_id}")
    if applied.attempt == 0 or (heard.attempt or 0) > applied.attempt:
        return Refused("wrong_attempt", f"attempt {heard.attempt}, the device is at {applied.attempt}")
    return None


def ignored(applied: Applied) -> str:
    """Why an event that met a row left it alone."""
    if refusal(applied) is not None:
        return "quarantined"
    if applied.was in FINISHED:
        return "finished"
    if applied.heard.attempt is not None and applied.heard.attempt < applied.attempt:
        return "older_attempt"
    return "out_of_order"


def left(part: Part, applied: Iterable[Applied]) -> tuple[list[Aside], Part]:
    """What of a written part goes to the quarantine, and what merging hid behind that and is still to be written."""
    refused = {a.heard.key: (a, why) for a in applied if (why := refusal(a)) is not None}
    aside: list[Aside] = []
    rest = Part()
    if not refused:
        return aside, rest
    for taken in part.taken:
        found = refused.get(taken.heard.key)
        if found is None:
            continue
        row, why = found
        if row.was is not None and 0 < (taken.heard.attempt or 0) <= row.attempt:
            rest.taken.append(taken)
        else:
            aside.append(Aside(taken.message, why))
    rest.claims = [claim for claim in part.claims if claim.success in refused]
    return aside, rest
