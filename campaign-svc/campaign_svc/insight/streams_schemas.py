"""What server-sent events tell."""

from pulse.contracts.status import CampaignStatus, Status
from pulse.runtime.rest import Answer, Timestamp


class Beat(Answer):
    """Nothing new as of `at`. None for five seconds means that the connection, or the database behind it, is lost."""

    at: Timestamp
    """As of when there is nothing new, by the database's clock, RFC 3339 in UTC."""


class CampaignSummary(Answer):
    """What lists show of a campaign."""

    id: int
    """Number of the campaign."""
    status: CampaignStatus
    """Status of the campaign."""
    epoch: int
    """Counts control changes, from 0; it only grows."""
    succeeded: int
    """Devices with status SUCCESS."""
    failed: int
    """Devices with status FAILED."""
    total_devices: int
    """Devices in the campaign, SKIPPED ones included."""
    status_breakdown: dict[Status, int]
    """Number of devices by status; all eight statuses are there."""
    actual_rate: float | None
    """Commands per minute over the last minute, or since the last control change; null before the start."""


class CampaignChanges(Answer):
    """Campaigns that changed; in a stream's first event all that have not ended (or have just), at most 200."""

    campaigns: list[CampaignSummary]
    """The campaigns that changed, at most 200."""
