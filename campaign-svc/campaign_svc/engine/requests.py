"""Claimed rows become dispatch requests in Kafka, after their commit."""

import asyncio
import time
from collections.abc import Iterable
from datetime import timedelta

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from campaign_svc.engine.live import LiveCampaign
from campaign_svc.engine.pace import Pace
from campaign_svc.engine.rollout_store import Claimed
from campaign_svc.metrics import UNSENT
from pulse.contracts.kafka import REQUESTS, DispatchRequest
from pulse.contracts.mqtt import Command
from pulse.runtime.kafka import send
from pulse.runtime.tracing import TRACES, Update

SEND_SECONDS = 2.0
"""How long a tick waits for Kafka to take its requests; what is not taken by then is counted and left to the sweep."""

log = structlog.get_logger()


def request(campaign: LiveCampaign, claimed: Claimed, pace: Pace) -> DispatchRequest:
    """The request for one claimed row; the command's text is made here, once, and never changes."""
    expires_at = claimed.issued_at + timedelta(seconds=campaign.attempt_timeout_seconds)
    firmware = campaign.firmware
    command = Command(
        campaign_id=campaign.id,
        attempt=claimed.attempt,
        version=firmware.version,
        firmware_url=firmware.url,
        size=firmware.size,
        checksum=firmware.checksum,
        issued_at=claimed.issued_at,
        expires_at=expires_at,
    )
    return DispatchRequest(
        tenant_id=campaign.tenant_id,
        campaign_id=campaign.id,
        device_id=claimed.device_id,
        attempt=claimed.attempt,
        epoch=campaign.epoch,
        bucket=pace.bucket(claimed.rank),
        bucket_rate=pace.bucket_rate,
        bucket_burst=pace.bucket_burst,
        not_after=claimed.not_after,
        expires_at=expires_at,
        command=command.text(),
    )


async def send_requests(
    kafka: AIOKafkaProducer, campaign: LiveCampaign, claimed: Iterable[Claimed], pace: Pace
) -> None:
    """Sends the requests of rows that are committed. A request that Kafka does not take is not lost: the sweep
    makes its row PENDING again once the request could no longer be published.
    """
    rows = list(claimed)
    taken: list[asyncio.Future[object]] = []
    try:
        async with asyncio.timeout(SEND_SECONDS):
            for row in rows:
                message = request(campaign, row, pace)
                trace = TRACES.traceparent(_update(message)) if TRACES.is_on else None
                future = await send(kafka, REQUESTS, message, message.key, pace.partition(row.rank), trace)
                taken.append(future)
            await asyncio.wait(taken)
    except (TimeoutError, KafkaError) as error:
        log.warning("requests_held_up", campaign_id=campaign.id, error=repr(error))
    if TRACES.is_on:
        _trace(campaign, rows)
    unsent = len(rows) - sum(_was_taken(future) for future in taken)
    if unsent:
        UNSENT.inc(unsent)
        log.warning("requests_unsent", campaign_id=campaign.id, unsent=unsent, of=len(rows))


def _update(message: DispatchRequest) -> Update:
    return Update(message.tenant_id, message.campaign_id, message.device_id)


def _trace(campaign: LiveCampaign, rows: Iterable[Claimed]) -> None:
    """The first step of each update, and again of each further attempt: its claim, and the request on its way."""
    now = time.time()
    for row in rows:
        update = Update(campaign.tenant_id, campaign.id, row.device_id)
        began = row.issued_at.timestamp()
        TRACES.step("release", update, began, now, first=row.attempt == 1, attempt=row.attempt)


def _was_taken(future: asyncio.Future[object]) -> bool:
    """Whether Kafka has it. One still on its way may arrive later; its own time limit bounds that."""
    if not future.done():
        future.add_done_callback(_forget)
        return False
    return not future.cancelled() and future.exception() is None


def _forget(future: asyncio.Future[object]) -> None:
    """Looks at a late failure, so that it is not reported as one that nobody looked at."""
    if not future.cancelled():
        future.exception()
