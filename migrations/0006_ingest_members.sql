-- Ingest replicas: each leases an ordinal, its MQTT client id, and says up to when it has taken everything in.
-- same effect as: 055154cca034a695a8bed7e5e47c478439e92b1b9df2e11f36b9e1dcc405388b
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('ingest_members') IS NOT NULL THEN RETURN; END IF;

CREATE TABLE IF NOT EXISTS ingest_members (
    ordinal      integer PRIMARY KEY CHECK (ordinal >= 0),
    holder       text NOT NULL,
    expires_at   timestamptz NOT NULL,
    caught_up_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest_members TO status_ingest_svc;
GRANT SELECT ON ingest_members TO campaign_loops;
END $file$;
COMMIT;
