"""Figures counted again from the rows that they are about: what differs is returned."""

from asyncpg import Connection, Record

from pulse.runtime.db import Pool

_REASONS = """
WITH counted AS (
    SELECT campaign_id, error_code, count(*) AS devices FROM ota_device_status
     WHERE failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED') GROUP BY 1, 2)
SELECT * FROM counted FULL JOIN (SELECT campaign_id, error_code, devices FROM ota_campaign_reasons) r
    USING (campaign_id, error_code)
 WHERE coalesce(counted.devices, 0) <> coalesce(r.devices, 0)
"""
_FAILURES = """
WITH counted AS (SELECT campaign_id, sum(failures) AS attempts FROM ota_device_status WHERE failures > 0 GROUP BY 1)
SELECT * FROM counted FULL JOIN ota_campaign_failures f USING (campaign_id)
 WHERE coalesce(counted.attempts, 0) <> coalesce(f.attempts, 0)
"""
_VERSIONS = """
WITH counted AS (SELECT tenant_id, device_type, coalesce(current_version, '') AS version, count(*) AS devices
                   FROM devices GROUP BY 1, 2, 3),
     told AS (SELECT tenant_id, device_type, coalesce(current_version, '') AS version, sum(devices) AS devices
                FROM device_version_counts GROUP BY 1, 2, 3)
SELECT * FROM counted FULL JOIN told USING (tenant_id, device_type, version)
 WHERE coalesce(counted.devices, 0) <> coalesce(told.devices, 0)
"""
_HEARD = """
WITH counted AS (SELECT tenant_id, date_bin('5 minutes', last_seen_at, 'epoch') AS since, count(*) AS devices
                   FROM devices WHERE last_seen_at > now() - interval '1 hour' GROUP BY 1, 2),
     told AS (SELECT tenant_id, since, sum(devices) AS devices FROM device_heard_counts
               WHERE since > now() - interval '1 hour' GROUP BY 1, 2)
SELECT * FROM counted FULL JOIN told USING (tenant_id, since)
 WHERE coalesce(counted.devices, 0) <> coalesce(told.devices, 0)
"""


async def of_campaigns(pool: Pool | Connection) -> list[Record]:
    """Reasons that differ from the rows, and failed attempts (where nothing was retried by an operator)."""
    return [*await pool.fetch(_REASONS), *await pool.fetch(_FAILURES)]


async def of_fleet(pool: Pool | Connection) -> list[Record]:
    """Versions in the field and devices heard that differ from the devices."""
    return [*await pool.fetch(_VERSIONS), *await pool.fetch(_HEARD)]
