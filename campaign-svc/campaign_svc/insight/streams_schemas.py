"""What server-sent events tell."""

from pydantic import BaseModel

from pulse.contracts.status import CampaignStatus, Status
from pulse.runtime.rest import Timestamp


class Beat(BaseModel):
    """Nothing new as of `at`. None for five seconds means that the connection, or the database behind it, is lost."""

    at: Timestamp


class CampaignSummary(BaseModel):
    """What lists show of a campaign."""

    id: int
    status: CampaignStatus
    epoch: int
    succeeded: int
    failed: int
    total_devices: int
    status_breakdown: dict[Status, int]
    actual_rate: float | None


class CampaignChanges(BaseModel):
    """Campaigns that changed; in a stream's first event all that have not ended (or have just), at most 200."""

    campaigns: list[CampaignSummary]
