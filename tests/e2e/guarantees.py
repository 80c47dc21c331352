"""What must hold of everything that a test has done, whatever went wrong meanwhile: each breach is a sentence."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from pulse.contracts.kafka import (
    CONTROL,
    REQUESTS,
    CampaignControl,
    DispatchRequest,
    bucket_burst,
    shards_of,
)
from pulse.contracts.status import FINISHED, Status
from tests.e2e.arrange import Site
from tests.e2e.campaign import Asked
from tests.e2e.histories import Came, Went, commands, reports, story
from tests.e2e.topics import content
from tests.e2e.watch import Record

AFTER_PAUSE_SECONDS = 0.25
BURST_SECONDS = 0.2
OBSERVED_SECONDS = 2.0
"""How much closer together commands may be seen than they were sent: two cores run all of this."""
CATCH_UP_SECONDS = 15.0
SWEPT_SECONDS = 2.0
"""Sweeps go by what ingest had taken in that long ago, at most."""
ORDER = {"DOWNLOADING": 1, "INSTALLING": 2, "SUCCESS": 3, "FAILED": 3}


async def hold(site: Site) -> None:
    """Fails with all that is broken of this site. Ingest gets some seconds for what was reported last."""
    broken = await _settled(site)
    await site.watch.look()
    assert site.watch.looks > 0, "nobody looked at the rows"
    broken += sorted(site.watch.broken)
    came = commands(site.agents)
    requests = [r for r in await _requests(site) if r.tenant_id == site.tenant]
    broken += different_commands(came, requests)
    broken += await _unannounced(site)
    for campaign in site.campaigns:
        own = [c for c in came if c.command.campaign_id == campaign.id]
        broken += commands_while_paused(campaign.asked, own)
        broken += faster_than_promised(own, max(campaign.rates) / 60)
    for agent in site.agents:
        broken += acted_wrongly(story(agent))
    assert not broken, "\n".join(broken)


async def _settled(site: Site) -> list[str]:
    """1, 5, and that ended campaigns are complete: tried until it holds, or its time is over."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    said = {agent.account.device_id: reports(agent) for agent in site.agents}
    while True:
        rows = await site.watch.rows()
        broken = [*unfinished(await site.watch.campaigns(), rows), *lost_reports(said, rows)]
        if not broken or time.monotonic() > deadline:
            return broken
        await asyncio.sleep(0.3)


async def _requests(site: Site) -> list[DispatchRequest]:
    return await content(site.stack["KAFKA_BOOTSTRAP"], REQUESTS, DispatchRequest)


async def _unannounced(site: Site) -> list[str]:
    """The control topic's last word on a campaign is what its row says."""
    last = {r.campaign_id: r for r in await content(site.stack["KAFKA_BOOTSTRAP"], CONTROL, CampaignControl)}
    started = [c for c in await site.watch.campaigns() if c["epoch"] > 0]
    told = {c["id"]: (last[c["id"]].epoch, last[c["id"]].status) if c["id"] in last else None for c in started}
    return [
        f"campaign {c['id']} is {c['status']} in epoch {c['epoch']}, but dispatchers were told {told[c['id']]}"
        for c in started
        if told[c["id"]] != (c["epoch"], c["status"])
    ]


def unfinished(campaigns: Iterable[Record], rows: Iterable[Record]) -> Iterator[str]:
    """1: every device of a campaign that has ended is SUCCESS, FAILED or SKIPPED."""
    ended = {c["id"] for c in campaigns if c["status"] in {"COMPLETED", "ABORTED"}}
    for row in rows:
        if row["campaign_id"] in ended and row["status"] not in FINISHED:
            yield f"campaign {row['campaign_id']} has ended, but {row['device_id']} is {row['status']}"


def lost_reports(said: Mapping[str, Sequence[Went]], rows: Iterable[Record]) -> Iterator[str]:
    """5: how a device ended the attempt that its row is at, and the broker took the report, is what the row says."""
    for row in rows:
        own = [went for went in said.get(row["device_id"], []) if _ends(went, row)]
        if own and not (_agrees(row, own[-1].report.status or "") or _too_late(row, own[0])):
            yield f"{row['device_id']} reported {own[-1]}, but its row is {dict(row)}"


def _ends(went: Went, row: Record) -> bool:
    report = went.report
    mine = report.campaign_id == row["campaign_id"] and report.attempt == row["attempt"]
    return mine and went.taken and report.status in {"SUCCESS", "FAILED"}


def _agrees(row: Record, said: str) -> bool:
    status, swept = Status(row["status"]), row["error_code"] in {"timeout", "no_response"}
    if said == "SUCCESS":
        return status is Status.SUCCESS or (status is Status.FAILED and row["error_code"] == "version_mismatch")
    counted = row["failures"] > 0
    waits = status is Status.PENDING and counted
    overtaken = status is Status.SKIPPED and row["skip_reason"] == "superseded" and counted
    return waits or overtaken or (status is Status.FAILED and not swept)


def _too_late(row: Record, went: Went) -> bool:
    """The row had ended, or was about to, when its device said the word for the first time."""
    return row["completed_at"] is not None and went.at > row["completed_at"].timestamp() - SWEPT_SECONDS


def different_commands(came: Sequence[Came], requests: Sequence[DispatchRequest]) -> Iterator[str]:
    """8: one command per campaign, device and attempt, the same to the byte wherever it is seen."""
    texts: dict[tuple[int, str, int], set[bytes]] = defaultdict(set)
    for request in requests:
        texts[request.campaign_id, request.device_id, request.attempt].add(request.command.encode())
    for event in came:
        if event.payload not in texts[event.key]:
            yield f"{event.key} got a command that nobody asked for: {event.payload!r}"
    yield from (f"{key} has different commands: {found}" for key, found in texts.items() if len(found) > 1)


def commands_while_paused(control: Sequence[Asked], came: Sequence[Came]) -> Iterator[str]:
    """3: no command later than 250 ms after a pause or an abort was answered, until it is started again."""
    for asked, following in zip_longest(control, control[1:]):
        until = following.answered - 1.0 if following else float("inf")
        if asked.what in {"pause", "abort"}:
            late = [c for c in came if asked.answered + AFTER_PAUSE_SECONDS < c.at < until]
            yield from (f"{c.key} was commanded {c.at - asked.answered:.3f} s after {asked.what}" for c in late)


def faster_than_promised(came: Sequence[Came], rate: float, observed: float = OBSERVED_SECONDS) -> Iterator[str]:
    """4: in no window more than its share of the rate (per second), and the buckets' bursts."""
    shards = shards_of(rate, REQUESTS.partitions)
    burst = shards * bucket_burst(rate / shards, BURST_SECONDS)
    times = [event.at for event in came]
    for first, began in enumerate(times):
        for last in range(first, len(times)):
            window, number = times[last] - began, last - first + 1
            if number > rate * (window + observed) + burst:
                yield f"{number} commands in {window:.2f} s at {rate:g} a second"
                return


def acted_wrongly(happened: Iterable[Came | Went]) -> Iterator[str]:
    """6 and 8: one update at a time, each attempt once from its beginning to its end, never an older after a newer."""
    issued: dict[tuple[int, int], str] = {}
    at_hand: int | None = None
    newest, furthest = "", 0
    for event in happened:
        if isinstance(event, Came):
            command = event.command
            issued[command.campaign_id, command.attempt] = command.issued_at
            if at_hand not in {None, command.campaign_id}:
                yield f"{event.device_id} was commanded by campaign {command.campaign_id} while at work for {at_hand}"
            continue
        report = event.report
        moment = issued.get((report.campaign_id or 0, report.attempt or 0), "")
        place = ORDER[report.status or ""]
        if moment < newest:
            yield f"{event.device_id} acted on an older command: {report}"
        elif moment == newest and place < furthest:
            yield f"{event.device_id} acted on a command again: {report}"
        newest, furthest = moment, place
        at_hand = report.campaign_id if place < 3 else None
