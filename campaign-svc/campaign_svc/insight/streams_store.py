"""SQL of campaigns that somebody watches."""

from collections.abc import Sequence

from campaign_svc.campaigns.campaign_store import COLUMNS, CampaignRecord
from pulse.runtime.db import Connection

LISTED = 200
# Those that change come first; the ones that wait for their start fill up the rest.
_WATCHED = f"""
SELECT {COLUMNS} FROM ota_campaigns WHERE tenant_id = $1 AND id = ANY($2::bigint[])
UNION
(SELECT {COLUMNS} FROM ota_campaigns
  WHERE $3 AND tenant_id = $1 AND (completed_at IS NULL OR completed_at > now() - interval '1 minute')
  ORDER BY status = 'CREATED', id DESC LIMIT {LISTED})
"""


async def watched(conn: Connection, tenant: str, campaign_ids: Sequence[int], *, listed: bool) -> list[CampaignRecord]:
    """These campaigns, and, if `listed`, those that have not ended or ended within a minute."""
    return [CampaignRecord(**row) for row in await conn.fetch(_WATCHED, tenant, campaign_ids, listed)]
