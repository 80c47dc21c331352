-- Every attempt that failed, with its reason: a row of ota_device_status only remembers the last one.
-- same effect as: 0eab5d7c0abddaa1446ec4a23d8626db8ed62ac1094a2fdbb7602f3219b26007
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('ota_failed_attempts') IS NOT NULL THEN RETURN; END IF;

-- One row for each failed attempt and none for the others: what it costs is bounded by what fails.
CREATE TABLE IF NOT EXISTS ota_failed_attempts (
    campaign_id   bigint NOT NULL,
    device_id     text NOT NULL,
    attempt       integer NOT NULL,
    tenant_id     text NOT NULL,
    failed_at     timestamptz NOT NULL DEFAULT now(),
    error_code    text NOT NULL,
    error_message text,
    PRIMARY KEY (campaign_id, device_id, attempt)
);

-- An attempt fails once, under its row's lock; a hand-written UPDATE that says it again changes nothing.
CREATE OR REPLACE FUNCTION keep_failed_attempts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF EXISTS (SELECT FROM come WHERE failures > 0) THEN
        INSERT INTO ota_failed_attempts (campaign_id, device_id, attempt, tenant_id, error_code, error_message)
            SELECT campaign_id, device_id, c.attempt, c.tenant_id, coalesce(c.error_code, 'device_error'),
                   c.error_message
              FROM come c JOIN gone g USING (campaign_id, device_id) WHERE c.failures > g.failures
            ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ota_device_status_tried_failed AFTER UPDATE ON ota_device_status
    REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION keep_failed_attempts();

CREATE OR REPLACE FUNCTION forget_failed_attempts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    DELETE FROM ota_failed_attempts f USING gone g WHERE f.campaign_id = g.campaign_id AND f.device_id = g.device_id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ota_device_status_tried_go AFTER DELETE ON ota_device_status
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_failed_attempts();

PERFORM pulse_protect('ota_failed_attempts');
GRANT SELECT ON ota_failed_attempts TO campaign_svc;
END $file$;
COMMIT;
