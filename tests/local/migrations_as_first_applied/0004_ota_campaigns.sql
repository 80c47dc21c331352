-- Campaigns, their stages and their timeline.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

CREATE TABLE IF NOT EXISTS ota_campaigns (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id               text NOT NULL,
    name                    text NOT NULL,
    firmware_version_id     bigint NOT NULL REFERENCES firmware_versions,
    firmware_version        text NOT NULL,   -- copies of what never changes, so that readers need no join
    firmware_device_type    text,
    target_group_id         text NOT NULL,
    rollout_strategy        text NOT NULL CHECK (rollout_strategy IN ('linear', 'canary')),
    rollout_rate            integer NOT NULL CHECK (rollout_rate BETWEEN 1 AND 600000),  -- devices a minute
    abort_rule              text NOT NULL CHECK (abort_rule IN ('ratio', 'sequential')),
    abort_threshold         double precision NOT NULL CHECK (abort_threshold BETWEEN 0 AND 1),
    abort_min_devices       integer NOT NULL CHECK (abort_min_devices >= 1),
    abort_confidence        double precision NOT NULL CHECK (abort_confidence BETWEEN 0.5 AND 0.9999),
    max_attempts            integer NOT NULL CHECK (max_attempts BETWEEN 1 AND 10),
    attempt_timeout_seconds integer NOT NULL CHECK (attempt_timeout_seconds BETWEEN 10 AND 604800),
    max_in_flight           integer CHECK (max_in_flight BETWEEN 1 AND 1000000),
    ramp_start              integer CHECK (ramp_start BETWEEN 1 AND 1000000),
    ramp_factor             double precision NOT NULL CHECK (ramp_factor BETWEEN 0 AND 10),
    end_at                  timestamptz,
    status                  text NOT NULL DEFAULT 'CREATED'
                            CHECK (status IN ('CREATED', 'RUNNING', 'PAUSED', 'COMPLETED', 'ABORTED')),
    epoch                   integer NOT NULL DEFAULT 0,
    current_stage           integer NOT NULL DEFAULT 0,
    retry_before            timestamptz,     -- all rows FAILED before this are to be tried again
    status_reason_code      text,
    status_reason_detail    text,
    status_reason_by        text,
    status_reason_at        timestamptz,
    created_at              timestamptz NOT NULL DEFAULT now(),
    created_by              text NOT NULL,
    started_at              timestamptz,
    completed_at            timestamptz      -- COMPLETED, or ABORTED with its last row finished
);
CREATE INDEX IF NOT EXISTS ota_campaigns_newest ON ota_campaigns (tenant_id, id DESC);
CREATE INDEX IF NOT EXISTS ota_campaigns_of_firmware ON ota_campaigns (firmware_version_id);
-- What the tick looks at.
CREATE INDEX IF NOT EXISTS ota_campaigns_live ON ota_campaigns (id)
    WHERE status <> 'CREATED' AND completed_at IS NULL;
CREATE INDEX IF NOT EXISTS ota_campaigns_ended ON ota_campaigns (completed_at) WHERE completed_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS ota_campaign_stages (
    campaign_id   bigint NOT NULL REFERENCES ota_campaigns ON DELETE CASCADE,
    number        integer NOT NULL CHECK (number >= 0),
    tenant_id     text NOT NULL,
    name          text NOT NULL,
    share         double precision CHECK (share > 0 AND share <= 1),
    device_count  integer CHECK (device_count >= 1),
    rollout_rate  integer NOT NULL CHECK (rollout_rate BETWEEN 1 AND 600000),  -- devices a minute
    gate          boolean NOT NULL,          -- the last stage has none
    soak_seconds  integer NOT NULL DEFAULT 0 CHECK (soak_seconds BETWEEN 0 AND 604800),
    min_success   double precision NOT NULL DEFAULT 0 CHECK (min_success BETWEEN 0 AND 1),
    approval      boolean NOT NULL DEFAULT false,
    status        text NOT NULL DEFAULT 'WAITING'
                  CHECK (status IN ('WAITING', 'RUNNING', 'SOAKING', 'AWAITING_APPROVAL', 'FAILED', 'PASSED')),
    soak_until    timestamptz,
    approved_by   text,
    approved_at   timestamptz,
    PRIMARY KEY (campaign_id, number)
);

CREATE TABLE IF NOT EXISTS ota_campaign_timeline (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL REFERENCES ota_campaigns ON DELETE CASCADE,
    tenant_id   text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    epoch       integer NOT NULL,
    event       text NOT NULL,
    by          text,                        -- a person's subject; NULL: the system itself
    reason      text,
    detail      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS ota_campaign_timeline_of ON ota_campaign_timeline (campaign_id, id);

SELECT pulse_protect('ota_campaigns'), pulse_protect('ota_campaign_stages'), pulse_protect('ota_campaign_timeline');
GRANT SELECT, INSERT, UPDATE, DELETE ON ota_campaigns, ota_campaign_stages TO campaign_svc;
GRANT SELECT, INSERT ON ota_campaign_timeline TO campaign_svc, campaign_loops;
GRANT SELECT, UPDATE, DELETE ON ota_campaigns TO campaign_loops;
GRANT SELECT, UPDATE ON ota_campaign_stages TO campaign_loops;
GRANT SELECT (id, tenant_id, firmware_version_id, status) ON ota_campaigns TO catalog_svc;
GRANT SELECT (id, tenant_id, firmware_version, max_attempts) ON ota_campaigns TO status_ingest_svc;
COMMIT;
