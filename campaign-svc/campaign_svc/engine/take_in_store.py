"""SQL of the look at the start: devices that were skipped when the campaign was made, and fit it now, are taken in."""

from campaign_svc.engine.rollout_store import AGAIN
from campaign_svc.fitness import UNFIT, unfit
from pulse.runtime.db import Connection

# By the index of such rows, from the last one that was passed; locked in key order, as ingest does it. Those that are
# taken in fill up the stages to what each would have had from the beginning: `place` is random within all of them.
_TAKE_IN = f"""
WITH campaign AS MATERIALIZED (
    SELECT id, take_in_after, firmware_version, firmware_device_type FROM ota_campaigns WHERE id = $1),
looked AS MATERIALIZED (
    SELECT r.device_id, r.tenant_id, r.rank, r.attempt
      FROM ota_device_status r CROSS JOIN campaign
     WHERE r.campaign_id = $1 AND r.skip_reason IN {UNFIT} AND r.device_id > campaign.take_in_after
     ORDER BY r.device_id LIMIT $2 FOR UPDATE OF r),
fitting AS MATERIALIZED (
    SELECT device_id, row_number() OVER (ORDER BY rank) - 1 AS place FROM looked CROSS JOIN campaign
     WHERE attempt = 0 AND EXISTS (
        SELECT FROM devices d WHERE d.tenant_id = looked.tenant_id AND d.device_id = looked.device_id
           AND {unfit("campaign.firmware_device_type", "campaign.firmware_version")} IS NULL OFFSET 0)),
counted AS (
    SELECT stage, sum(n) AS n FROM ota_campaign_counters
     WHERE campaign_id = $1 AND counter IN ('PENDING', 'QUEUED', 'DISPATCHED', 'DOWNLOADING', 'INSTALLING', 'SUCCESS',
                                            'FAILED') GROUP BY stage),
bounds AS (
    SELECT coalesce(array_agg(bound ORDER BY number), '{{}}') AS bounds FROM (
        SELECT s.number, sum(greatest(0, coalesce(s.device_count, ceil(s.share::text::numeric * (
                   coalesce((SELECT sum(n) FROM counted), 0) + (SELECT count(*) FROM fitting))))
                   - coalesce(c.n, 0))) OVER (ORDER BY s.number)::float8 AS bound
          FROM ota_campaign_stages s LEFT JOIN counted c ON c.stage = s.number
         WHERE s.campaign_id = $1 AND s.gate) b),
taken AS (
    UPDATE ota_device_status r SET {AGAIN}, skip_reason = NULL,
           stage = CASE WHEN bounds = '{{}}' THEN r.stage ELSE width_bucket(place::float8, bounds) END
      FROM fitting CROSS JOIN bounds WHERE r.campaign_id = $1 AND r.device_id = fitting.device_id
    RETURNING 1),
passed AS (
    UPDATE ota_campaigns SET take_in_after =
           CASE WHEN (SELECT count(*) FROM looked) = $2 THEN (SELECT max(device_id) FROM looked) END
     WHERE id = $1)
SELECT (SELECT count(*) FROM looked) AS looked, (SELECT count(*) FROM taken) AS taken
"""


async def take_in(conn: Connection, campaign_id: int, most: int) -> tuple[int, int]:
    """The next `most` rows that were skipped since their device did not fit: those whose device fits now are PENDING.

    Returns how many were looked at, and how many taken in. Fewer looked at than `most`: the look is done.
    """
    row = await conn.fetchrow(_TAKE_IN, campaign_id, most)
    return (row["looked"], row["taken"]) if row is not None else (0, 0)


async def drop(conn: Connection, campaign_id: int) -> None:
    """Nobody is taken in any more."""
    await conn.execute("UPDATE ota_campaigns SET take_in_after = NULL WHERE id = $1", campaign_id)
