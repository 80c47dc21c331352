"""Messages as they arrived, sorted by how they must be written: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pulse.contracts.status import FINISHED, REPORTS, Event, Heard, merge
from status_ingest_svc.reading import Campaign, Device, Message, Presence, Refused, of_campaign
from status_ingest_svc.store import Applied, Sighting


class Taken(NamedTuple):
    """What a message says of a campaign's device, and the message itself."""

    heard: Heard
    message: Message


class Aside(NamedTuple):
    """A message for the quarantine, and why."""

    message: Message
    refused: Refused


@dataclass(slots=True)
class Part:
    """What one transaction writes: all reports and results with an attempt, or all without."""

    taken: list[Taken] = field(default_factory=list)
    words: dict[Device, list[Sighting]] = field(default_factory=dict)
    """What devices say of their versions, each in the order in which it said it, from the last one on that hangs on no
    row: what was said before that is of no matter."""
    devices: set[Device] = field(default_factory=set)
    """All that were heard, also those whose message has no place in a row."""

    def halves(self) -> "tuple[Part, Part]":
        """All of it by lanes: no device is in both halves, and each is in the same one of all batches."""
        halves = Part(), Part()
        for taken in self.taken:
            halves[_lane(taken.heard.device_id)].taken.append(taken)
        for device, words in self.words.items():
            halves[_lane(device[1])].words[device] = words
        for device in self.devices:
            halves[_lane(device[1])].devices.add(device)
        return halves

    def events(self) -> list[Heard]:
        """At most one for each row."""
        return merge(taken.heard for taken in self.taken)

    def sightings(self) -> list[Sighting]:
        """Each device that was heard, with what it says of its version."""
        found: list[Sighting] = []
        for device in self.devices:
            words = self.words.get(device, ())
            if not words or words[0].campaign_id is not None:  # which counts only with its row; it was heard without
                found.append(Sighting(*device))
            found += words
        return found

    def __bool__(self) -> bool:
        return bool(self.taken or self.devices)


@dataclass(slots=True)
class Batch:
    """Each message is in exactly one of these, presence as a claim."""

    numbered: Part = field(default_factory=Part)
    bare: Part = field(default_factory=Part)
    later: set[Device] = field(default_factory=set)
    """Those of whom the bare part, which is written last, has a word on their version."""
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
            _note(batch, said.device, said.version)
        elif isinstance(said, Refused):
            batch.aside.append(Aside(message, said))
            if said.device is not None:
                _note(batch, said.device, said.version)
    return batch


def _lane(device_id: str) -> int:
    return hash(device_id) & 1


def _take(batch: Batch, taken: Taken, version: str) -> None:
    heard = taken.heard
    part = batch.bare if heard.attempt is None and heard.event in REPORTS else batch.numbered
    part.taken.append(taken)
    if heard.event not in REPORTS:
        return
    device = (heard.tenant_id, heard.device_id)
    part.devices.add(device)
    if heard.version is not None:
        _note(batch, device, heard.version)
    elif heard.event is Event.SUCCESS:
        part.words.setdefault(device, []).append(Sighting(*device, version, heard.campaign_id))
        if part is batch.bare:
            batch.later.add(device)


def _note(batch: Batch, device: Device, version: str | None) -> None:
    """A device was heard, and says what it runs: that hangs on no row, only on the order in which it was said."""
    part = batch.bare if device in batch.later else batch.numbered
    part.devices.add(device)
    if version is not None:
        part.words[device] = [Sighting(*device, version)]


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
    # With a success that is still to be written comes all that its device has said, since the last word counts.
    for device, words in part.words.items() if rest.taken else ():
        if any((word.campaign_id, word.device_id) in refused for word in words):
            rest.words[device] = words
            rest.devices.add(device)
    return aside, rest
