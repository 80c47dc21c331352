"""What Kafka has, as lines of a history."""

from collections.abc import Iterable, Iterator

from pulse.contracts.kafka import CampaignControl, DispatchRequest
from tests.chaos.history import Announced, Requested


def requested(request: DispatchRequest, at: float = 0.0) -> Requested:
    """A dispatch request, written to Kafka at that time."""
    return Requested(
        at=at,
        tenant=request.tenant_id,
        device=request.device_id,
        campaign=request.campaign_id,
        attempt=request.attempt,
        epoch=request.epoch,
        bucket=request.bucket,
        command=request.command,
    )


def last_words(controls: Iterable[CampaignControl], at: float = 0.0) -> Iterator[Announced]:
    """The last record of each campaign; `controls` in the topic's order."""
    for control in {control.campaign_id: control for control in controls}.values():
        yield Announced(at=at, campaign=control.campaign_id, epoch=control.epoch, status=control.status)
