"""A batch of messages comes in; guarded rows, transitions and quarantine records come out."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from aiokafka import AIOKafkaProducer

from pulse.contracts.kafka import DeviceStatusChanged
from pulse.contracts.status import REPORTS, Heard
from pulse.runtime.db import Pool, statement
from pulse.runtime.kafka import quarantine
from pulse.runtime.tracing import TRACES, Update
from status_ingest_svc import metrics, store
from status_ingest_svc.batch import Aside, Batch, Part, ignored, left, sort
from status_ingest_svc.campaigns import Campaigns
from status_ingest_svc.lanes import Lanes, Load, loads
from status_ingest_svc.patience import insist, insist_on_kafka
from status_ingest_svc.reading import Message, Presence, Refused
from status_ingest_svc.store import Applied, Backoff
from status_ingest_svc.transitions import Transitions

AT_ONCE = 200
"""Quarantine records on their way at a time."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sorted batch of `size` messages; `began` on the monotonic clock."""

    size: int
    began: float
    batch: Batch
    loads: Sequence[Load]
    max_attempts: dict[int, int]


@dataclass(slots=True)
class Written:
    """A batch that is committed, and what of it must still be put aside."""

    prepared: Prepared
    aside: list[Aside]
    applied: list[tuple[Part, Sequence[Applied]]] = field(default_factory=list)


class Ingest:
    """Takes batches; several at a time may be under way, lanes or the database decide between them."""

    def __init__(self, database: Pool, kafka: AIOKafkaProducer, transitions: Transitions, backoff: Backoff) -> None:
        self._database = database
        self._kafka = kafka
        self._transitions = transitions
        self._backoff = backoff
        self._campaigns = Campaigns(database)

    async def take(self, messages: Sequence[Message]) -> None:
        """Returns when every message is committed or in the quarantine: only then may it be acknowledged.

        Waits while the database is away, and while Kafka is and something has to be put aside. `prepare`, `write` and
        `finish` are its three steps, for who has a batch in each of them at the same time.
        """
        await self.finish(await self.write(await self.prepare(messages), Lanes()))

    async def prepare(self, messages: Sequence[Message]) -> Prepared:
        """Sorts a batch; asks the database for campaigns only that it has not met before."""
        began = time.perf_counter()
        campaigns = await self._campaigns.of(m.said.campaign_id for m in messages if isinstance(m.said, Heard))
        batch = sort(messages, campaigns)
        max_attempts = {number: campaign.max_attempts for number, campaign in campaigns.items()}
        return Prepared(len(messages), began, batch, loads(batch), max_attempts)

    async def write(self, prepared: Prepared, lanes: Lanes) -> Written:
        """Returns when all of it is committed, in both lanes, so that the database can work on two halves at once.

        May be called for the next batch at once: what concerns one device is committed in the order of the calls.
        """
        written = Written(prepared, list(prepared.batch.aside))
        with TRACES.span("ingest", begins=bool(prepared.size)):
            async with asyncio.TaskGroup() as group:
                for load in prepared.loads:
                    group.create_task(self._write_load(written, load, lanes))
        written.aside += await self._strangers(prepared.batch.presences)
        return written

    async def finish(self, written: Written) -> None:
        """Offers the transitions, and returns when what could not be taken is in the quarantine."""
        for part, applied in written.applied:
            self._announce(applied)
            _count(part, applied)
        await self._put_aside(written.aside)
        if written.prepared.size:  # else it was only markers
            metrics.BATCH_SIZE.observe(written.prepared.size)
            metrics.BATCH_SECONDS.observe(time.perf_counter() - written.prepared.began)

    async def _write_load(self, written: Written, load: Load, lanes: Lanes) -> None:
        async with lanes.through(load):
            for part, events in load.parts:
                await self._write(written, part, events)

    async def _write(self, written: Written, part: Part, events: Sequence[Heard]) -> None:
        """Writes a part; a second time only where merging kept an event that no row could take."""
        while part:
            applied = await insist(partial(self._commit, part, events, written.prepared.max_attempts))
            written.applied.append((part, applied))
            if TRACES.is_on:
                _trace(applied, written.prepared.began)
            refused, part = left(part, applied)
            written.aside += refused
            events = part.events()

    async def _commit(self, part: Part, events: Sequence[Heard], max_attempts: dict[int, int]) -> list[Applied]:
        async with statement(self._database) as connection:
            return await store.apply(connection, events, part.sightings(), max_attempts, self._backoff)

    def _announce(self, applied: Sequence[Applied]) -> None:
        self._transitions.offer(
            DeviceStatusChanged(
                tenant_id=a.heard.tenant_id,
                campaign_id=a.heard.campaign_id,
                device_id=a.heard.device_id,
                attempt=a.attempt,
                stage=a.stage,
                from_status=a.was,
                to_status=a.becomes,
                failures=a.failures,
                error_code=a.error_code,
                at=a.at,
            )
            for a in applied
            if a.was is not None and a.becomes is not None and a.was is not a.becomes
        )

    async def _strangers(self, presences: Sequence[Message]) -> list[Aside]:
        """Presences of devices that nobody has registered."""
        said = [(message, message.said.device) for message in presences if isinstance(message.said, Presence)]
        if not said:
            return []
        known = await insist(lambda: store.registered(self._database, {device for _, device in said}))
        return [
            Aside(message, Refused("unknown_device", f"device {device[1]} is not registered"))
            for message, device in said
            if device not in known
        ]

    async def _put_aside(self, aside: Sequence[Aside]) -> None:
        """Returns when Kafka has them all."""
        for start in range(0, len(aside), AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for message, refused in aside[start : start + AT_ONCE]:
                    put = partial(
                        quarantine, self._kafka, message.source, refused.reason, refused.detail, message.payload
                    )
                    group.create_task(insist_on_kafka(put))


def _trace(applied: Sequence[Applied], began: float) -> None:
    """Each event as a step of its device's update, from when its batch was taken (on the monotonic clock)."""
    now = time.time()
    taken = now - (time.perf_counter() - began)
    for one in applied:
        heard = one.heard
        update = Update(heard.tenant_id, heard.campaign_id, heard.device_id)
        kind = "report" if heard.event in REPORTS else "result"
        became = str(one.becomes or one.was or "unknown")
        TRACES.step(f"{kind} {heard.event}", update, taken, now, attempt=one.attempt, status=became)


def _count(part: Part, applied: Sequence[Applied]) -> None:
    metrics.IGNORED.labels("merged").inc(len(part.taken) - len(applied))
    for reason, number in Counter(ignored(a) for a in applied if a.becomes is None and a.was is not None).items():
        metrics.IGNORED.labels(reason).inc(number)
    for status, number in Counter(a.becomes for a in applied if a.becomes not in {None, a.was}).items():
        metrics.TRANSITIONS.labels(status).inc(number)
