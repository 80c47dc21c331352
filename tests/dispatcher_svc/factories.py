"""Messages and held requests as tests need them."""

from datetime import UTC, datetime, timedelta

from dispatcher_svc.partition import Partition
from dispatcher_svc.queues import Held
from pulse.contracts.kafka import CampaignControl, ControlStatus, DispatchRequest

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def request(
    device: str = "d1",
    *,
    campaign: int = 7,
    epoch: int = 1,
    rate: float = 1.0,
    burst: float = 1.0,
    attempt: int = 1,
    lives: float = 60.0,
    command: str | None = None,
    shard: int = 0,
    at: datetime | None = None,
) -> DispatchRequest:
    """A request of tenant acme that expires `lives` seconds after `at` (now)."""
    begun = at or datetime.now(UTC)
    return DispatchRequest(
        tenant_id="acme",
        campaign_id=campaign,
        device_id=device,
        attempt=attempt,
        epoch=epoch,
        bucket=f"{campaign}:{shard}",
        bucket_rate=rate,
        bucket_burst=burst,
        not_after=begun + timedelta(seconds=lives),
        expires_at=begun + timedelta(seconds=3600),
        command=command or f'{{"type": "ota_update",  "campaign_id":{campaign},"device":"{device}","n":{attempt}}}',
    )


def control(campaign: int = 7, epoch: int = 1, status: ControlStatus = "RUNNING") -> CampaignControl:
    return CampaignControl(tenant_id="acme", campaign_id=campaign, epoch=epoch, status=status, at=datetime.now(UTC))


def held(partition: Partition, offset: int, asked: DispatchRequest) -> Held:
    return Held(
        partition=partition,
        offset=offset,
        request=asked,
        not_after=asked.not_after.timestamp(),
        expires_at=asked.expires_at.timestamp(),
        asked_at=0.0,
        trace=None,
    )
