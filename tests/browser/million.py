"""A campaign of a million devices in the middle of its way, as a local stack would have it after two hours."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import asyncpg

from local_stack import tokens
from local_stack.api import Api, connected

TENANT = "million"
GROUP = "everyone"
DEVICE_TYPE = "gw2"
OLD, NEW = "1.0.0", "2.0.0"
ALREADY_NEW = 50
"""Every so many devices has the new version before, and is skipped."""
RATE = 6_000
HISTORY_SECONDS = 7_184
TIMEOUT = timedelta(minutes=30).total_seconds()

_DEVICES = """
INSERT INTO devices (tenant_id, device_id, device_type, current_version, last_seen_at)
SELECT $1, 'gw-' || lpad(n::text, 7, '0'), $2, CASE WHEN n % $5 = 0 THEN $4 ELSE $3 END,
       now() - n % 7000 * interval '1 second'
  FROM generate_series(1, $6::int) n
"""
_GROUP = "INSERT INTO device_groups (tenant_id, group_id, name) VALUES ($1, $2, 'Everyone')"
_MEMBERS = """
INSERT INTO device_group_members (tenant_id, group_id, device_id) SELECT $1, $2, device_id FROM devices
 WHERE tenant_id = $1
"""
# In the order of release: 60 % of the devices have ended, the next 2 % are at work, the rest waits for its turn.
_SPREAD = """
UPDATE ota_device_status s SET status = x.status, attempt = 1 + (x.failures > 0)::int, failures = x.failures,
       progress_pct = CASE x.status WHEN 'SUCCESS' THEN 100 WHEN 'DOWNLOADING' THEN s.rank % 100 WHEN 'FAILED' THEN 60
                      ELSE 0 END,
       error_code = CASE WHEN x.failures > 0 AND x.status <> 'SUCCESS'
                         THEN (ARRAY['bad_checksum', 'timeout', 'install_failed', 'no_response', 'low_battery'])
                              [1 + s.rank % 97 % 5] END,
       queued_at = x.sent - interval '2 seconds', dispatched_at = x.sent, started_at = x.sent + interval '1 second',
       last_report_at = x.sent + interval '9 seconds',
       completed_at = CASE WHEN x.status IN ('SUCCESS', 'FAILED') THEN x.sent + interval '20 seconds' END
  FROM (SELECT device_id, CASE
               WHEN rank % 83 = 0 AND rank < $2 * 0.6 THEN 'FAILED'
               WHEN rank < $2 * 0.6 THEN 'SUCCESS'
               WHEN rank % 4 = 0 THEN 'INSTALLING'
               WHEN rank % 4 < 3 THEN 'DOWNLOADING'
               ELSE 'DISPATCHED' END AS status,
               CASE WHEN rank % 83 = 0 THEN 2 WHEN rank % 29 = 0 THEN 1 ELSE 0 END AS failures,
               now() - interval '15 seconds' - greatest(0, 1 - rank / ($2 * 0.62)) * interval '7100 seconds' AS sent
          FROM ota_device_status WHERE campaign_id = $1 AND status = 'PENDING' AND rank < $2 * 0.62) x
 WHERE s.campaign_id = $1 AND s.device_id = x.device_id
"""
_PASSED = "UPDATE ota_campaign_stages SET status = 'PASSED' WHERE campaign_id = $1 AND number < 2"
_LAST_STAGE = "UPDATE ota_campaigns SET current_stage = 2 WHERE id = $1"
_BEGAN = "UPDATE ota_campaigns SET started_at = now() - make_interval(secs => $2), promised = $3 WHERE id = $1"
_HISTORY = """
INSERT INTO ota_campaign_history (campaign_id, number, tenant_id, at, promised, counts, failed_attempts)
SELECT $1, n, $2, now() - make_interval(secs => $3 - n), $4 * 0.64 * part,
       jsonb_build_object('SUCCESS', (0.58 * part * $4)::int, 'FAILED', (0.008 * part * $4)::int,
           'INSTALLING', 5000, 'DOWNLOADING', 10000, 'DISPATCHED', 5000, 'SKIPPED', $4 / 50,
           'PENDING', ($4 * 0.96 - 0.588 * part * $4)::int),
       (0.03 * part * $4)::int
  FROM generate_series(0, $3::int - 16, 16) n,  -- 16 s: the resolution that a history of two hours has
       LATERAL (SELECT n::float8 / $3 AS part) p
    ON CONFLICT DO NOTHING
"""


async def arrange(stack: Mapping[str, str], devices: int, say: Callable[[str], None]) -> int:
    """The running campaign's id; `stack` has the addresses of a fresh local stack. Takes some minutes."""
    token = tokens.make(Path(stack["AUTH_KEY_FILE"]), TENANT, "operator")
    database = await asyncpg.connect(stack["POSTGRES_DSN"], command_timeout=900)
    try:
        async with connected(stack["GATEWAY_URL"], token, timeout=300) as api:
            await _fleet(database, devices)
            say(f"{devices:,} devices, in a group")
            campaign = await _campaign(api)
            say("the campaign is created over the API")
            await _on_its_way(database, campaign, devices)
            await api.start(campaign)
            await database.execute(_BEGAN, campaign, HISTORY_SECONDS, devices * 0.64)
            await database.execute(_HISTORY, campaign, TENANT, HISTORY_SECONDS, devices)
            say("it runs, as if since two hours")
    finally:
        await database.close()
    return campaign


async def _fleet(database: asyncpg.Connection, devices: int) -> None:
    await database.execute(_DEVICES, TENANT, DEVICE_TYPE, OLD, NEW, ALREADY_NEW, devices)
    await database.execute(_GROUP, TENANT, GROUP)
    await database.execute(_MEMBERS, TENANT, GROUP)
    await database.execute("ANALYZE devices, device_groups, device_group_members")


async def _campaign(api: Api) -> int:
    firmware = await api.register_firmware(
        {
            "version": NEW,
            "device_type": DEVICE_TYPE,
            "file_url": f"https://files.example.com/{DEVICE_TYPE}-{NEW}.bin",
            "file_size_bytes": 1_000_000,
            "checksum_sha256": "ab" * 32,
        }
    )
    return await api.create_campaign(
        {
            "name": "Gateway 2.0.0 for a million",
            "firmware_version_id": firmware,
            "target_group_id": GROUP,
            "rollout_strategy": "canary",
            "rollout_rate": RATE,
            "abort_threshold": 0.1,
            "attempt_timeout_seconds": TIMEOUT,
            "stages": [{"name": "Canary", "share": 0.01}, {"name": "Early", "share": 0.1}],
        }
    )


async def _on_its_way(database: asyncpg.Connection, campaign: int, devices: int) -> None:
    async with database.transaction():
        await database.execute(_SPREAD, campaign, devices)
        await database.execute(_PASSED, campaign)
        await database.execute(_LAST_STAGE, campaign)
    await database.execute("VACUUM ANALYZE ota_device_status")
