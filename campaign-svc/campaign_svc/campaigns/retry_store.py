"""SQL of an operator's retry, while the campaign's row is locked."""

from collections.abc import Sequence

from campaign_svc.engine.rollout_store import AGAIN, REGISTERED
from pulse.runtime.db import Connection

# Locked in key order, as ingest does it.
_RETRY_NAMED = f"""
WITH named AS MATERIALIZED (
    SELECT device_id FROM ota_device_status WHERE campaign_id = $1 AND device_id = ANY($2::text[]) AND status = 'FAILED'
     ORDER BY device_id FOR UPDATE)
UPDATE ota_device_status r SET {AGAIN} FROM named WHERE r.campaign_id = $1 AND r.device_id = named.device_id
"""


async def retry_all(conn: Connection, campaign_id: int) -> int:
    """All rows that are FAILED by now are to be tried again, by the loops, but for those of devices that are gone."""
    failed: int = await conn.fetchval(
        f"""SELECT count(*) FROM ota_device_status r WHERE campaign_id = $1 AND phase = 'FAILED' AND {REGISTERED}""",
        campaign_id,
    )
    if failed:
        await conn.execute("UPDATE ota_campaigns SET retry_before = clock_timestamp() WHERE id = $1", campaign_id)
    return failed


async def retry_named(conn: Connection, campaign_id: int, device_ids: Sequence[str]) -> int:
    """Those of them that are FAILED wait again, with no failures counted; how many they are."""
    done = await conn.execute(_RETRY_NAMED, campaign_id, device_ids)
    return int(done.split()[-1])


async def unknown(conn: Connection, campaign_id: int, device_ids: Sequence[str]) -> set[str]:
    """Which of these the campaign has no row of, or are not registered any more."""
    rows = await conn.fetch(
        f"""SELECT device_id FROM ota_device_status r
            WHERE campaign_id = $1 AND device_id = ANY($2::text[]) AND {REGISTERED}""",
        campaign_id,
        device_ids,
    )
    return set(device_ids) - {row["device_id"] for row in rows}
