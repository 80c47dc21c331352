"""The next devices are claimed, and their dispatch requests sent: as many as the rate and the limits allow."""

import time
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from campaign_svc.engine import rollout_store
from campaign_svc.engine.live import LiveCampaign
from campaign_svc.engine.live_store import take
from campaign_svc.engine.pace import Pace, pace_of
from campaign_svc.engine.policy import releases
from campaign_svc.engine.requests import send_requests
from campaign_svc.engine.rollout_store import Claimed
from campaign_svc.metrics import CLAIMED, SKIPPED_SUPERSEDED, SKIPPED_UNFIT
from campaign_svc.settings import CampaignSettings
from pulse.contracts.status import CampaignStatus, Status
from pulse.runtime.db import Pool, transaction
from pulse.runtime.tracing import TRACES


def releasable(campaign: LiveCampaign, look_ahead: float) -> int:
    """How many devices the campaign may release now; 0 too when none is due."""
    if campaign.status is not CampaignStatus.RUNNING or campaign.past_end or campaign.refilling:
        return 0
    if campaign.firmware.withdrawn or not any(stage.due for stage in campaign.open_stages):
        return 0
    counts = campaign.counts
    return releases(
        rate=campaign.stage.rate,
        look_ahead=look_ahead,
        queued=counts[Status.QUEUED],
        active=campaign.active,
        limit=campaign.limits.in_flight(counts[Status.SUCCESS], counts["failing"]),
    )


@dataclass(frozen=True, slots=True)
class _Claim:
    """What one transaction claimed, and whether there may be more to claim at once."""

    campaign: LiveCampaign
    pace: Pace
    rows: list[Claimed]
    more: bool


class Rollout:
    """Releases devices; `partitions` of the topic of dispatch requests."""

    def __init__(self, pool: Pool, kafka: AIOKafkaProducer, settings: CampaignSettings, partitions: int) -> None:
        self._pool = pool
        self._kafka = kafka
        self._settings = settings
        self._partitions = partitions

    async def release(self, campaign: LiveCampaign, until: float) -> None:
        """Claims and sends in turns until the campaign has what it may have, or it is `until` (monotonic seconds)."""
        more = True
        while more and time.monotonic() < until:
            with TRACES.span("claim", begins=True):
                claim = await self._claim(campaign)
                if claim is None:
                    return
                more = claim.more
                if claim.rows:
                    CLAIMED.inc(len(claim.rows))
                    await send_requests(self._kafka, claim.campaign, claim.rows, claim.pace)

    async def _claim(self, seen: LiveCampaign) -> _Claim | None:
        """One transaction, on the campaign as it is now; None: there is nothing to release, or another has it."""
        settings = self._settings
        async with transaction(self._pool) as conn:
            await rollout_store.lock_claims(conn, seen.tenant_id)
            campaign = await take(conn, seen.id, settings.sweep_grace_seconds)
            wanted = 0 if campaign is None else releasable(campaign, settings.look_ahead_seconds)
            if campaign is None or wanted == 0:
                return None
            stages = [stage.number for stage in campaign.open_stages if stage.due]
            pace = pace_of(campaign.id, campaign.stage.rate, self._partitions, settings.bucket_burst_seconds)
            most = min(wanted, settings.claim_max)
            skipped = await rollout_store.skip_superseded(conn, campaign.id, stages, max(most, settings.claim_max))
            if skipped:
                SKIPPED_SUPERSEDED.inc(skipped)
                return _Claim(campaign, pace, [], more=True)
            hold = pace.hold(settings.look_ahead_seconds, campaign.attempt_timeout_seconds)
            rows, unfit = await rollout_store.claim(conn, campaign.id, stages, most, hold)
            if unfit:  # where there are some there may be many: they are not to come one claim after the other
                unfit += await rollout_store.skip_unfit(conn, campaign.id, stages, settings.claim_max)
            for reason, devices in unfit.items():
                SKIPPED_UNFIT.labels(reason).inc(devices)
            return _Claim(campaign, pace, rows, more=bool(unfit) or len(rows) == most < wanted)
