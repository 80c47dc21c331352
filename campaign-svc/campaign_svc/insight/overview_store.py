"""SQL of the overview, all of it from counters and from campaigns that have not ended."""

from dataclasses import dataclass
from datetime import datetime

from campaign_svc.campaigns.campaign_store import (
    ABORTED_LATELY,
    ASKS,
    COLUMNS,
    SLOW,
    STOPPED,
    STUCK,
    CampaignRecord,
    Firmware,
)
from pulse.runtime.db import Connection

_CURRENT = "ota_campaign_stages s WHERE s.campaign_id = ota_campaigns.id AND s.number = current_stage"
_COUNTED = """(SELECT coalesce(sum(k.n), 0) FROM ota_campaign_counters k
        WHERE k.campaign_id = s.campaign_id AND k.stage = s.number AND k.counter IN ({}))"""
_WAITING = f"""
SELECT id AS campaign_id, name, 'approval' AS why, coalesce(s.soak_until, promised_at) AS since,
       'stage ' || s.stage AS detail
  FROM ota_campaigns CROSS JOIN LATERAL (SELECT s.soak_until, s.name AS stage FROM {_CURRENT}) s
 WHERE tenant_id = $1 AND {ASKS}
UNION ALL
SELECT id, name, 'gate_stuck', s.stuck_since,
       format('stage %s: %s devices are updated, %s are offline or refused', s.stage, s.updated, s.held)
  FROM ota_campaigns CROSS JOIN LATERAL (
      SELECT s.stuck_since, s.name AS stage, {_COUNTED.format("'SUCCESS'")} AS updated,
             {_COUNTED.format("'offline', 'refused'")} AS held FROM {_CURRENT}) s
 WHERE tenant_id = $1 AND {STUCK}
UNION ALL
SELECT id, name, CASE WHEN passed THEN 'gate_passed' ELSE status_reason_code END,
       CASE WHEN passed THEN s.approved_at ELSE status_reason_at END,
       CASE WHEN passed THEN 'by ' || s.approved_by ELSE status_reason_detail END
  FROM ota_campaigns CROSS JOIN LATERAL (
      SELECT s.approved_at, s.approved_by,
             s.approved_at IS NOT NULL AND status_reason_code = 'gate_failed' AS passed FROM {_CURRENT}) s
 WHERE tenant_id = $1 AND {STOPPED}
UNION ALL
SELECT id, name, 'aborted', status_reason_at, status_reason_detail FROM ota_campaigns
 WHERE tenant_id = $1 AND {ABORTED_LATELY}
UNION ALL
SELECT id, name, 'slow', slow_since, format('sends %s of %s devices a minute', coalesce((
           SELECT sum(dispatched) FROM ota_campaign_pace p
            WHERE p.campaign_id = ota_campaigns.id AND p.at > now() - interval '60 seconds'), 0),
           round(promised_rate * 60))
  FROM ota_campaigns WHERE tenant_id = $1 AND {SLOW}
 ORDER BY since, campaign_id LIMIT 100
"""
_RUNNING = f"""
SELECT {COLUMNS} FROM ota_campaigns WHERE tenant_id = $1 AND status = 'RUNNING' ORDER BY id DESC LIMIT 20
"""
_VERSIONS = """
SELECT device_type, current_version AS version, sum(devices)::bigint AS devices FROM device_version_counts
 WHERE tenant_id = $1 GROUP BY 1, 2 HAVING sum(devices) > 0 ORDER BY 3 DESC, 1, 2 LIMIT 100
"""
_FAILURES = """
SELECT error_code, sum(attempts)::bigint AS attempts FROM tenant_failures
 WHERE tenant_id = $1 AND hour > now() - interval '25 hours' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20
"""
_HEARD = """
SELECT coalesce(sum(devices), 0)::bigint FROM device_heard_counts
 WHERE tenant_id = $1 AND since > now() - interval '65 minutes'
"""
_USING = """
SELECT id, name, status FROM ota_campaigns
 WHERE tenant_id = $1 AND firmware_version_id = $2 AND status IN ('CREATED', 'RUNNING', 'PAUSED')
 ORDER BY id DESC LIMIT 200
"""
_ON_VERSION = """
SELECT coalesce(sum(devices), 0)::bigint FROM device_version_counts
 WHERE tenant_id = $1 AND current_version = $2 AND ($3::text IS NULL OR device_type = $3)
"""


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A campaign that waits for a person, why, and since when."""

    campaign_id: int
    name: str
    why: str
    since: datetime
    detail: str | None


@dataclass(frozen=True, slots=True)
class UsingRecord:
    """A campaign that has not ended."""

    id: int
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """How many devices of a type run a version."""

    device_type: str
    version: str | None
    devices: int


async def waiting(conn: Connection, tenant: str) -> list[WaitingRecord]:
    """The longest first."""
    return [WaitingRecord(**row) for row in await conn.fetch(_WAITING, tenant)]


async def running(conn: Connection, tenant: str) -> list[CampaignRecord]:
    """Newest first."""
    return [CampaignRecord(**row) for row in await conn.fetch(_RUNNING, tenant)]


async def versions(conn: Connection, tenant: str) -> list[VersionRecord]:
    """The most frequent first."""
    return [VersionRecord(**row) for row in await conn.fetch(_VERSIONS, tenant)]


async def failures(conn: Connection, tenant: str) -> list[tuple[str, int]]:
    """Failed attempts of the last 24 hours by error code, the most frequent first."""
    return [(error_code, attempts) for error_code, attempts in await conn.fetch(_FAILURES, tenant)]


async def devices_total(conn: Connection, tenant: str) -> int:
    return await conn.fetchval("SELECT devices FROM device_totals WHERE tenant_id = $1", tenant) or 0


async def heard_last_hour(conn: Connection, tenant: str) -> int:
    return int(await conn.fetchval(_HEARD, tenant))


async def using(conn: Connection, tenant: str, firmware_id: int) -> list[UsingRecord]:
    """Campaigns with this firmware version that have not ended, newest first."""
    return [UsingRecord(**row) for row in await conn.fetch(_USING, tenant, firmware_id)]


async def devices_on(conn: Connection, tenant: str, firmware: Firmware) -> int:
    """Devices of the firmware's type (any, where it has none) that run its version."""
    return int(await conn.fetchval(_ON_VERSION, tenant, firmware.version, firmware.device_type))
