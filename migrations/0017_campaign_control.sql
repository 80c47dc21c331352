-- Which campaign is the newer one: the one that was started later. And gates that cannot open by themselves.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

-- A claim asks once which campaigns of the tenant were started later: as a rule none.
CREATE INDEX IF NOT EXISTS ota_campaigns_started ON ota_campaigns (tenant_id, started_at, id)
    WHERE started_at IS NOT NULL;

-- Since when the gate of a running stage needs devices that are held back. NULL: it does not.
ALTER TABLE ota_campaign_stages ADD COLUMN IF NOT EXISTS stuck_since timestamptz;
COMMIT;
