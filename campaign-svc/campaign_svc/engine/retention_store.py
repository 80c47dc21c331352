"""SQL that deletes finished campaigns and old idempotency keys."""

from pulse.runtime.db import Connection


async def take_old(conn: Connection, days: int) -> int | None:
    """A campaign that finished more than `days` ago, its row locked; None when there is none that is free."""
    found: int | None = await conn.fetchval(
        """SELECT id FROM ota_campaigns WHERE completed_at < now() - make_interval(days => $1)
           ORDER BY completed_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
        days,
    )
    return found


async def delete_rows(conn: Connection, campaign_id: int, most: int) -> int:
    """Deletes at most so many of the campaign's device rows; returns how many."""
    tag = await conn.execute(
        """DELETE FROM ota_device_status WHERE campaign_id = $1 AND device_id = ANY (ARRAY(
               SELECT device_id FROM ota_device_status WHERE campaign_id = $1 ORDER BY device_id LIMIT $2))""",
        campaign_id,
        most,
    )
    return int(tag.rpartition(" ")[2])


async def delete_campaign(conn: Connection, campaign_id: int) -> None:
    """Deletes a campaign that has no rows any more, with its counters, stages and timeline."""
    await conn.execute("DELETE FROM ota_campaign_counters WHERE campaign_id = $1", campaign_id)
    await conn.execute("DELETE FROM ota_campaigns WHERE id = $1", campaign_id)


async def delete_keys(conn: Connection, hours: int, most: int) -> int:
    """Deletes at most so many keys that are older than `hours`; returns how many."""
    tag = await conn.execute(
        """DELETE FROM idempotency_keys WHERE (tenant_id, key) IN (
               SELECT tenant_id, key FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)
               ORDER BY created_at LIMIT $2)""",
        hours,
        most,
    )
    return int(tag.rpartition(" ")[2])
