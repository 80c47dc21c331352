-- Idempotency keys: what a POST was answered, so that its repeat is answered the same and done once.
-- same effect as: 6ae32baaad8281ce6ccbbc50bd8af288670f66686e16238fb071a22bab386a84
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('idempotency_keys') IS NOT NULL THEN RETURN; END IF;

CREATE TABLE IF NOT EXISTS idempotency_keys (
    tenant_id   text NOT NULL,
    key         text NOT NULL,
    fingerprint text NOT NULL,               -- of method, path, query and body
    status      integer,                     -- NULL only within the transaction that does the work
    answer      text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_oldest ON idempotency_keys (created_at);

PERFORM pulse_protect('idempotency_keys');
GRANT SELECT, INSERT, UPDATE (status, answer) ON idempotency_keys TO catalog_svc, campaign_svc;
GRANT SELECT, DELETE ON idempotency_keys TO campaign_loops;
END $file$;
COMMIT;
