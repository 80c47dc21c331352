"""A campaign's stages and its end, written while its row is locked."""

from datetime import datetime

from campaign_svc.engine.live import StageStatus
from pulse.runtime.db import Connection


async def move(
    conn: Connection, campaign_id: int, number: int, status: StageStatus, soak_until: datetime | None
) -> None:
    """The stage is elsewhere on its way."""
    await conn.execute(
        """UPDATE ota_campaign_stages SET status = $3, soak_until = $4, stuck_since = NULL
            WHERE campaign_id = $1 AND number = $2""",
        campaign_id,
        number,
        status.value,
        soak_until,
    )


async def set_current(conn: Connection, campaign_id: int, number: int) -> None:
    """Devices are released from this stage on, too."""
    await conn.execute("UPDATE ota_campaigns SET current_stage = $2 WHERE id = $1", campaign_id, number)


async def set_ended(conn: Connection, campaign_id: int) -> None:
    """The last row of an aborted campaign is finished: the tick need not look at it any more."""
    await conn.execute("UPDATE ota_campaigns SET completed_at = clock_timestamp() WHERE id = $1", campaign_id)


async def approve(conn: Connection, campaign_id: int, number: int, by: str) -> bool:
    """The stage's gate may open; False: it was approved before."""
    return bool(
        await conn.fetchval(
            """UPDATE ota_campaign_stages SET approved_by = $3, approved_at = clock_timestamp()
                WHERE campaign_id = $1 AND number = $2 AND approved_at IS NULL RETURNING true""",
            campaign_id,
            number,
            by,
        )
    )
