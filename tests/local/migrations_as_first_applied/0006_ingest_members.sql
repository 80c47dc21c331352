-- Ingest replicas: each leases an ordinal, its MQTT client id, and says up to when it has taken everything in.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

CREATE TABLE IF NOT EXISTS ingest_members (
    ordinal      integer PRIMARY KEY CHECK (ordinal >= 0),
    holder       text NOT NULL,
    expires_at   timestamptz NOT NULL,
    caught_up_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest_members TO status_ingest_svc;
GRANT SELECT ON ingest_members TO campaign_loops;
COMMIT;
