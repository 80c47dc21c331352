"""Control changes that the database has lost are made up for, so that dispatchers listen to its rows again.

They are lost when it is restored from a backup, or a standby takes over that was behind. Dispatchers keep the highest
epoch that they have read, and hold to its status: below it nothing that the row says would ever be heard, or sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from campaign_svc import changes
from campaign_svc.metrics import CHANGES
from pulse.contracts.kafka import CampaignControl
from pulse.contracts.status import CampaignStatus
from pulse.runtime.db import Pool, transaction

CLOCKS = timedelta(seconds=1)
"""How far two hosts' clocks may be apart."""
RESTORED = "restored"
_LOCK = "SELECT status, epoch, created_at FROM ota_campaigns WHERE id = $1 AND status <> 'CREATED' FOR NO KEY UPDATE"
_RAISE = "UPDATE ota_campaigns SET epoch = $2 WHERE id = $1"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign's row as its transaction has locked it."""

    status: CampaignStatus
    epoch: int
    created_at: datetime


def has_lost(status: CampaignStatus, epoch: int, heard: CampaignControl) -> bool:
    """Whether a row is behind what dispatchers have heard. Exact if it is locked: only what is committed is sent."""
    return heard.epoch > epoch or (heard.epoch == epoch and heard.status != status)


def status_after(row: Row, heard: CampaignControl) -> CampaignStatus:
    """The status with which a campaign goes on whose changes were lost: nothing is sent until a person has looked.

    An abort that was announced stays one. What was said before the campaign was made was of another with its number,
    which the database has lost as a whole, and says nothing of this one.
    """
    if heard.at < row.created_at - CLOCKS:
        return row.status
    if heard.status == CampaignStatus.ABORTED:
        return CampaignStatus.ABORTED
    return CampaignStatus.PAUSED if row.status is CampaignStatus.RUNNING else row.status


async def make_up(pool: Pool, campaign_id: int, heard: CampaignControl) -> bool:
    """Raises the row's epoch above the one that was heard, if it is behind; whether it was. The caller announces it."""
    async with transaction(pool) as conn:
        found = await conn.fetchrow(_LOCK, campaign_id)
        if found is None:
            return False
        row = Row(CampaignStatus(found["status"]), found["epoch"], found["created_at"])
        if not has_lost(row.status, row.epoch, heard):
            return False
        status = status_after(row, heard)
        await conn.execute(_RAISE, campaign_id, max(row.epoch, heard.epoch))
        epoch = await changes.change(
            conn,
            campaign_id,
            status=status,
            event=RESTORED,
            by=None,
            reason_code=None if status is row.status else RESTORED,
            detail=_told(row, heard),
            evidence={"epoch": row.epoch, "announced_epoch": heard.epoch, "announced_status": heard.status},
        )
    CHANGES.labels(RESTORED, "" if status is row.status else RESTORED).inc()
    log.warning("lost_changes", campaign_id=campaign_id, lost=heard.epoch - row.epoch, epoch=epoch, status=status)
    return True


def _told(row: Row, heard: CampaignControl) -> str:
    return (
        f"the database had lost changes: it said {row.status} (epoch {row.epoch}), "
        f"but {heard.status} (epoch {heard.epoch}) had been announced"
    )
