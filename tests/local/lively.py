"""A database as a fleet leaves it: rows in every state, counters that went up and down, figures not yet folded."""

import asyncpg

ROWS = """
INSERT INTO devices (tenant_id, device_id, device_type, current_version, last_seen_at)
    SELECT 'acme', 'd' || n, 'gw2', '1.0.' || n % 3, now() - n * interval '20 seconds' FROM generate_series(1, 100) n;
UPDATE devices SET current_version = '2.0.0', last_seen_at = now() WHERE device_id IN ('d1', 'd2', 'd3');
DELETE FROM devices WHERE device_id = 'd100';
INSERT INTO device_groups (tenant_id, group_id, name) VALUES ('acme', 'lab', 'Lab'), ('acme', 'empty', 'Nobody');
INSERT INTO device_group_members (tenant_id, group_id, device_id) SELECT 'acme', 'lab', device_id FROM devices;
DELETE FROM device_group_members WHERE device_id = 'd99';
INSERT INTO firmware_versions (tenant_id, version, file_url, file_size_bytes, checksum_sha256, device_type, created_by)
    SELECT 'acme', '2.0.' || n, 'https://files.example.com/2', 9, repeat('a', 64), 'gw2', 'ann'
      FROM generate_series(0, 2) n;
UPDATE firmware_versions SET status = 'WITHDRAWN', withdrawn_at = now(), withdrawn_by = 'ann', withdrawn_reason = 'bad'
 WHERE version = '2.0.2';
INSERT INTO ota_campaigns (tenant_id, name, firmware_version_id, firmware_version, target_group_id, rollout_strategy,
        rollout_rate, abort_rule, abort_threshold, abort_min_devices, abort_confidence, max_attempts,
        attempt_timeout_seconds, ramp_factor, created_by)
    SELECT 'acme', 'lively', id, version, 'lab', 'canary', 60, 'ratio', 0.1, 1, 0.95, 3, 60, 1, 'ann'
      FROM firmware_versions WHERE version LIKE '2.0._';
INSERT INTO ota_campaign_stages (campaign_id, number, tenant_id, name, rollout_rate, gate)
    SELECT id, number, tenant_id, 'stage', 60, number = 0
      FROM ota_campaigns, generate_series(0, 1) number WHERE name = 'lively';
UPDATE ota_campaigns SET status = 'RUNNING', epoch = epoch + 1, started_at = now() WHERE name = 'lively';
INSERT INTO ota_campaign_timeline (campaign_id, tenant_id, epoch, event)
    SELECT id, 'acme', 1, 'started' FROM ota_campaigns WHERE name = 'lively';
INSERT INTO ota_device_status (campaign_id, device_id, tenant_id, stage, rank, status)
    SELECT c.id, d.device_id, 'acme', d.n % 2, d.n, 'PENDING'
      FROM (SELECT device_id, row_number() OVER (ORDER BY device_id) AS n FROM devices) d
      JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM ota_campaigns
             WHERE name = 'lively') c ON c.n = d.n % 3;
INSERT INTO ota_campaign_history (campaign_id, number, tenant_id, at, promised, counts, failed_attempts)
    SELECT id, 1, 'acme', now(), 3, '{"PENDING": 33}', 0 FROM ota_campaigns WHERE name = 'lively';
INSERT INTO ingest_members (ordinal, holder, expires_at, caught_up_at) VALUES (0, 'one', now(), now());
INSERT INTO idempotency_keys (tenant_id, key, fingerprint, status, answer) VALUES ('acme', 'k', 'f', 201, '{}');
"""
WORK = """
UPDATE ota_device_status SET status = 'QUEUED', attempt = attempt + 1, queued_at = now(), wait = NULL
 WHERE status = 'PENDING' AND (rank + attempt) % 9 <> 0;
UPDATE ota_device_status SET status = 'DISPATCHED', dispatched_at = now()
 WHERE status = 'QUEUED' AND (rank + attempt) % 9 > 1;
UPDATE ota_device_status SET status = 'DOWNLOADING', progress_pct = 40
 WHERE status = 'DISPATCHED' AND (rank + attempt) % 9 > 2;
UPDATE ota_device_status SET status = 'SUCCESS', completed_at = now()
 WHERE status = 'DOWNLOADING' AND (rank + attempt) % 9 = 3;
UPDATE ota_device_status SET status = 'FAILED', failures = failures + 3, error_code = 'flash', completed_at = now()
 WHERE status = 'DOWNLOADING' AND (rank + attempt) % 9 = 4;
UPDATE ota_device_status SET status = 'PENDING', failures = failures + 1, error_code = 'timeout', wait = 'retry'
 WHERE status = 'DOWNLOADING' AND (rank + attempt) % 9 = 5;
UPDATE ota_device_status SET status = 'PENDING', wait = 'offline', offline_tries = 1
 WHERE status = 'DOWNLOADING' AND (rank + attempt) % 9 = 6;
UPDATE ota_device_status SET status = 'PENDING', wait = 'refused'
 WHERE status = 'DOWNLOADING' AND (rank + attempt) % 9 = 7;
UPDATE ota_device_status SET status = 'SKIPPED', skip_reason = 'deadline' WHERE status = 'PENDING' AND rank = 9;
UPDATE ota_device_status SET status = 'INSTALLING', progress_pct = 80
 WHERE status = 'DOWNLOADING' AND (rank + attempt) % 9 = 8 AND rank % 2 = 0;
"""
"""From PENDING into every state. A second time: who waited is claimed again, and comes into the next state of these."""

_COUNTERS = """
WITH counted AS (
    SELECT campaign_id, stage, k.counter, count(*) AS n FROM ota_device_status r
     CROSS JOIN LATERAL (VALUES (r.status, true), ('dispatched', r.dispatched_at IS NOT NULL),
                                ('failing', r.failures > 0 AND r.status NOT IN ('SUCCESS', 'SKIPPED')),
                                (r.wait, r.wait IS NOT NULL)) k (counter, counts)
     WHERE k.counts GROUP BY 1, 2, 3)
SELECT campaign_id, stage, counter, counted.n AS rows, c.n AS counter_n
  FROM counted FULL JOIN ota_campaign_counters c USING (campaign_id, stage, counter)
 WHERE coalesce(counted.n, 0) <> coalesce(c.n, 0)
"""


async def fill(connection: asyncpg.Connection) -> None:
    """As a superuser, whom no policy holds."""
    await connection.execute(ROWS)
    await work(connection)


async def work(connection: asyncpg.Connection) -> None:
    """Devices go on, as services let them."""
    await connection.execute(WORK)


async def wrong_counters(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Counters that do not equal the rows; those of later states too, where there are any."""
    return list(await connection.fetch(_COUNTERS))
