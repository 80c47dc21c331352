-- What a campaign does with its devices' rows after it was made: devices that no longer fit are skipped at the claim,
-- those that fit now are taken in at the start, an operator takes one out, and another campaign is made of what is left.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

-- Two more reasons. A later file may know even more: then there is nothing to do here.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'ota_device_status'::regclass
                      AND conname = 'ota_device_status_skip_reason_check'
                      AND pg_get_constraintdef(oid) LIKE '%excluded%') THEN
        ALTER TABLE ota_device_status DROP CONSTRAINT IF EXISTS ota_device_status_skip_reason_check;
        ALTER TABLE ota_device_status ADD CONSTRAINT ota_device_status_skip_reason_check CHECK (skip_reason IN
            ('aborted', 'already_on_version', 'wrong_device_type', 'unknown_device', 'superseded', 'deadline',
             'excluded'));
    END IF;
END $$;

-- Rows that were skipped since their device did not fit, for the look at the start. What is aborted is not in it.
CREATE INDEX IF NOT EXISTS ota_device_status_unfit ON ota_device_status (campaign_id, device_id)
    WHERE skip_reason IN ('already_on_version', 'wrong_device_type');
-- Devices that were taken out while their request was on its way: no other campaign claims them before its not_after.
CREATE INDEX IF NOT EXISTS ota_device_status_excluded ON ota_device_status (tenant_id, device_id)
    WHERE skip_reason = 'excluded';

-- take_in_after: the last device that the look at the start has passed ('': none yet); NULL: nothing is to be looked at.
ALTER TABLE ota_campaigns
    ADD COLUMN IF NOT EXISTS take_in_after text,
    ADD COLUMN IF NOT EXISTS target_of_campaign_id bigint,   -- no key: that campaign may be deleted before this one
    ADD COLUMN IF NOT EXISTS target_of_statuses text[];
ALTER TABLE ota_campaigns ALTER COLUMN target_group_id DROP NOT NULL;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'ota_campaigns'::regclass
                      AND conname = 'ota_campaigns_target_check') THEN
        ALTER TABLE ota_campaigns ADD CONSTRAINT ota_campaigns_target_check CHECK (
            num_nonnulls(target_group_id, target_of_campaign_id) = 1
            AND (target_of_campaign_id IS NULL) = (target_of_statuses IS NULL));
    END IF;
END $$;
COMMIT;
