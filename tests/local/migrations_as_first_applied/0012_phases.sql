-- Updates in place. While `status` stood in the predicates of the indexes, each change of it wrote a new entry into all of
-- them. `phase` is the same from DISPATCHED to INSTALLING, so what a device reports on its way touches no index (HOT).
-- The table is written anew, and locked for it: seconds for a million rows.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

ALTER TABLE ota_device_status ADD COLUMN IF NOT EXISTS phase text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN status IN ('DISPATCHED', 'DOWNLOADING', 'INSTALLING') THEN 'AT_WORK' ELSE status END) STORED;

-- Guarantee: a device has at most one active update, over all campaigns.
CREATE UNIQUE INDEX IF NOT EXISTS ota_device_status_active ON ota_device_status (tenant_id, device_id)
    WHERE phase IN ('QUEUED', 'AT_WORK');
-- Claims, in their order.
CREATE INDEX IF NOT EXISTS ota_device_status_pending ON ota_device_status (campaign_id, stage, next_attempt_at, rank)
    WHERE phase = 'PENDING';
-- Whether a newer campaign has succeeded on a device.
CREATE INDEX IF NOT EXISTS ota_device_status_success ON ota_device_status (tenant_id, device_id, campaign_id)
    WHERE phase = 'SUCCESS';
-- A device that was offline is heard.
CREATE INDEX IF NOT EXISTS ota_device_status_offline_wait ON ota_device_status (tenant_id, device_id)
    WHERE phase = 'PENDING' AND wait = 'offline';
-- The sweeps: requests past their not_after, attempts past their time limit.
CREATE INDEX IF NOT EXISTS ota_device_status_queued ON ota_device_status (campaign_id, not_after)
    WHERE phase = 'QUEUED';
CREATE INDEX IF NOT EXISTS ota_device_status_at_work ON ota_device_status (campaign_id, dispatched_at)
    WHERE phase = 'AT_WORK';
-- Operator retry, and the list of what went wrong.
CREATE INDEX IF NOT EXISTS ota_device_status_failure ON ota_device_status (campaign_id, device_id)
    WHERE phase = 'FAILED';

DROP INDEX IF EXISTS ota_device_status_one_active, ota_device_status_due, ota_device_status_done,
    ota_device_status_offline, ota_device_status_overdue, ota_device_status_silent, ota_device_status_failed;
COMMIT;
