-- Idempotency keys: what a POST was answered, so that its repeat is answered the same and done once.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

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

SELECT pulse_protect('idempotency_keys');
GRANT SELECT, INSERT, UPDATE (status, answer) ON idempotency_keys TO catalog_svc, campaign_svc;
GRANT SELECT, DELETE ON idempotency_keys TO campaign_loops;
COMMIT;
