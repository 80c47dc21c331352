"""SQL that takes a device out of a campaign, while the campaign's row is locked."""

from collections.abc import Collection

from pulse.contracts.status import Status
from pulse.runtime.db import Connection

_EXCLUDE = """
WITH present AS MATERIALIZED (
    SELECT device_id, status FROM ota_device_status WHERE campaign_id = $1 AND device_id = $2 FOR UPDATE)
UPDATE ota_device_status r SET status = 'SKIPPED', skip_reason = 'excluded', wait = NULL,
    completed_at = clock_timestamp()
FROM present WHERE r.campaign_id = $1 AND r.device_id = present.device_id AND present.status = ANY($3::text[])
RETURNING present.status
"""


async def exclude(conn: Connection, campaign_id: int, device_id: str, allowed: Collection[Status]) -> str | None:
    """The device is SKIPPED if its status is one of `allowed`: that status; None: nothing was changed.

    Its `not_after` stays: until then no other campaign claims the device, since its request may still be published.
    """
    was: str | None = await conn.fetchval(_EXCLUDE, campaign_id, device_id, sorted(allowed))
    return was
