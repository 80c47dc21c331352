"""Guarantees about commands: 3 none after a pause, 4 none too fast, 8 the same to the byte, each acted on once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pulse.contracts.kafka import REQUESTS, bucket_burst, shards_of
from tests.chaos.checker.breach import Breach
from tests.chaos.checker.story import CommandKey, Story, command_of, update_of
from tests.chaos.history import Device, Line, Made, Requested, Written

AFTER_PAUSE_SECONDS = 0.25
BURST_SECONDS = 0.2
STOPS, RESUMES = frozenset({"pause", "abort"}), frozenset({"start", "retry"})


def by_campaign(story: Story) -> dict[int, list[Written]]:
    """The commands of each campaign, in the order in which they were written."""
    found: dict[int, list[Written]] = defaultdict(list)
    for line in story.of(Written):
        command = command_of(line)
        if command is not None:
            found[command.campaign_id].append(line)
    return found


def after_a_pause(story: Story) -> Iterator[Breach]:
    """3: none is written later than 250 ms after pause or abort was answered 200, until it is started again.

    A start without an answer, or answered 503, may have been done; a retry reopens what has completed meanwhile.
    """
    for campaign, commands in by_campaign(story).items():
        asked_of = story.asked_of(campaign)
        for asked in asked_of:
            if asked.change not in STOPS or asked.status != 200:
                continue
            until = min((a.at for a in asked_of if a.change in RESUMES and a.at > asked.at), default=float("inf"))
            for command in commands:
                if asked.answered + AFTER_PAUSE_SECONDS < command.earliest and command.at < until:
                    late = command.earliest - asked.answered
                    yield Breach(
                        f"campaign {campaign}: a command was written {late:.3f} s after {asked.change} was answered",
                        (asked, command),
                    )


def too_fast(story: Story) -> Iterator[Breach]:
    """4: in no window more than `rate x window + shards x burst`, over all dispatchers together.

    A command was written between its `earliest` and its `at`; only what breaks the promise whenever that was counts.
    """
    made = {line.campaign: line for line in story.of(Made)}
    for campaign, commands in by_campaign(story).items():
        if campaign in made:
            rate = _highest_rate(story, made[campaign])
            breach = worst_window(commands, rate, story.observed)
            if breach is not None:
                yield breach


def promise(rate: float) -> float:
    """How many commands may be written in a moment, at a rate per second."""
    shards = shards_of(rate, REQUESTS.partitions)
    return shards * bucket_burst(rate / shards, BURST_SECONDS)


def _highest_rate(story: Story, made: Made) -> float:
    return max([made.rate, *(a.rate for a in story.asked_of(made.campaign) if a.rate is not None and a.status < 500)])


def worst_window(commands: Sequence[Written], rate: float, observed: float) -> Breach | None:
    """The shortest of the first windows with too many commands, if there is one; `rate` a second."""
    allowed = promise(rate) + rate * observed
    least, first = float("inf"), 0
    for last, command in enumerate(commands):
        begins = last - rate * command.earliest
        if begins < least:
            least, first = begins, last
        number = last + 1 - rate * command.at
        if number - least > allowed + 1e-6:
            first = _latest_begin(commands, last, rate, allowed)
            window = command.at - commands[first].earliest
            sentence = f"{last - first + 1} commands in {window:.3f} s at {rate:g} a second, {allowed:g} in a moment"
            return Breach(sentence, tuple(commands[first : last + 1]))
    return None


def _latest_begin(commands: Sequence[Written], last: int, rate: float, allowed: float) -> int:
    """Where the shortest window that ends there and has too many commands begins."""
    for first in range(last, -1, -1):
        window = commands[last].at - commands[first].earliest
        if last - first + 1 > rate * window + allowed + 1e-6:
            return first
    return 0


def different(story: Story) -> Iterator[Breach]:
    """8: one command per campaign, device and attempt, the same to the byte wherever it is seen."""
    requests = story.requests()
    for key, asked in requests.items():
        others = [r for r in asked if r.command != asked[0].command]
        if others:
            yield Breach(f"two commands share {key}", (asked[0], others[0]))
    seen: list[Written | Device] = [*story.of(Written), *(d for d in story.of(Device) if d.did == "received")]
    for line in seen:
        yield from _unasked(line, requests)


def _unasked(line: Written | Device, requests: dict[CommandKey, list[Requested]]) -> Iterator[Breach]:
    command = command_of(line)
    if command is None:
        yield Breach(f"{line.device} got what no device can read", (line,))
        return
    key = (line.tenant, command.campaign_id, line.device, command.attempt)
    if not requests.get(key):
        yield Breach(f"nobody asked for the command {key}", (line,))
    elif requests[key][0].command != line.payload:
        yield Breach(f"the command {key} is not the one that was asked for", (requests[key][0], line))


def two_at_once(story: Story) -> Iterator[Breach]:
    """6, of the devices: none begins an update while it is at work for another."""
    for (_, device), lines in story.by_device().items():
        at_hand: Device | None = None
        for line in lines:
            if line.did == "began":
                if at_hand is not None:
                    yield Breach(f"{device} began an update while at work", (at_hand, line))
                at_hand = line
            elif line.did == "ended":
                at_hand = None


def acted_wrongly(story: Story) -> Iterator[Breach]:
    """8: a device acts on each command at most once, and never on an older one after a newer."""
    for (_, device), lines in story.by_device().items():
        yield from _acts(device, lines)


def _acts(device: str, lines: Sequence[Device]) -> Iterator[Breach]:
    received: dict[tuple[int, int], tuple[str, Line]] = {}
    newest: tuple[str, Line] | None = None
    begun: dict[tuple[int, int], Device] = {}
    for line in lines:
        if line.did == "received" and (command := command_of(line)) is not None:
            came = (command.issued_at, line)
            received.setdefault((command.campaign_id, command.attempt), came)
            newest = came if newest is None or came[0] > newest[0] else newest
        elif line.did == "began":
            update = update_of(line)
            key = (update.campaign_id, update.attempt)
            issued, came_in = received.get(key, ("", line))
            if key in begun:
                yield Breach(f"{device} acted on {key} twice", (begun[key], line))
            elif newest is not None and issued < newest[0]:
                yield Breach(f"{device} acted on {key} after a newer command", (came_in, newest[1], line))
            begun[key] = line
