"""What a control change is, for the API and the judge alike; and the timeline that tells of it.

A change raises the campaign's epoch, by which dispatchers know it; whoever made it announces it after the commit.
"""

from pulse.contracts.status import CampaignStatus
from pulse.runtime.db import Connection

# A reason belongs to a status: a change within the status (another rate) keeps it, another status brings its own.
_CHANGE = """
UPDATE ota_campaigns SET
    epoch = epoch + 1,
    status_reason_code = CASE WHEN keeps THEN status_reason_code ELSE $3 END,
    status_reason_detail = CASE WHEN keeps THEN status_reason_detail WHEN $3 IS NOT NULL THEN $4 END,
    status_reason_by = CASE WHEN keeps THEN status_reason_by WHEN $3 IS NOT NULL THEN $5 END,
    status_reason_at = CASE WHEN keeps THEN status_reason_at WHEN $3 IS NOT NULL THEN clock_timestamp() END,
    started_at = CASE WHEN $2 = 'RUNNING' THEN coalesce(started_at, clock_timestamp()) ELSE started_at END,
    completed_at = CASE WHEN $2 = 'COMPLETED' THEN clock_timestamp() WHEN $2 = 'ABORTED' THEN completed_at END,
    status = $2
FROM (SELECT status = $2 AND $3::text IS NULL AS keeps FROM ota_campaigns WHERE id = $1) AS present
WHERE id = $1
RETURNING epoch
"""
_NOTE = """
INSERT INTO ota_campaign_timeline (campaign_id, tenant_id, epoch, event, by, reason, detail)
SELECT id, tenant_id, epoch, $2, $3, $4, $5 FROM ota_campaigns WHERE id = $1
"""


async def change(
    conn: Connection,
    campaign_id: int,
    *,
    status: CampaignStatus,
    event: str,
    by: str | None,
    reason_code: str | None,
    detail: str | None,
    evidence: dict[str, object] | None = None,
) -> int:
    """Changes a campaign whose row the caller's transaction has locked; returns the new epoch.

    `event` is the timeline's word for it, `by` the person who asked for it (None: the system itself), `detail` a
    sentence for people, `evidence` the numbers behind it. Without `reason_code` the new status has no reason.
    An aborted campaign gets its `completed_at` only with its last finished row.
    """
    epoch: int = await conn.fetchval(_CHANGE, campaign_id, status.value, reason_code, detail, by)
    facts = dict(evidence or {}) | ({"code": reason_code} if reason_code else {})
    await note(conn, campaign_id, event=event, by=by, reason=detail, evidence=facts)
    return epoch


async def note(
    conn: Connection,
    campaign_id: int,
    *,
    event: str,
    by: str | None,
    reason: str | None = None,
    evidence: dict[str, object] | None = None,
) -> None:
    """Adds to the timeline under the present epoch, within the caller's transaction."""
    await conn.execute(_NOTE, campaign_id, event, by, reason, evidence or {})
