-- One row per device of a campaign, and counters that equal the rows at every commit.
-- same effect as: 4612579adc7cfb7b17ae65c9187ebc9e9d21f535c008d9a335244a643b9d0e6c
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('ota_device_status') IS NOT NULL THEN RETURN; END IF;

-- No foreign keys: rows come and go only with their campaign, in its transactions, and a key check for each of a
-- million rows (or a lock on the campaign's row from the trigger) would cost more than it could find.
-- Not partitioned: the one-active-update index must cover all campaigns.
CREATE TABLE IF NOT EXISTS ota_device_status (
    campaign_id     bigint NOT NULL,
    device_id       text NOT NULL,
    tenant_id       text NOT NULL,
    stage           integer NOT NULL DEFAULT 0,
    rank            integer NOT NULL,          -- random, the same whenever computed again; also picks the shard
    status          text NOT NULL CHECK (status IN ('PENDING', 'QUEUED', 'DISPATCHED', 'DOWNLOADING', 'INSTALLING',
                                                    'SUCCESS', 'FAILED', 'SKIPPED')),
    attempt         integer NOT NULL DEFAULT 0,
    failures        integer NOT NULL DEFAULT 0,
    progress_pct    smallint NOT NULL DEFAULT 0 CHECK (progress_pct BETWEEN 0 AND 100),
    error_code      text,
    error_message   text,
    skip_reason     text CHECK (skip_reason IN ('aborted', 'already_on_version', 'wrong_device_type', 'superseded',
                                                'deadline')),
    wait            text CHECK (wait IN ('retry', 'offline', 'refused')),
    offline_tries   integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
    queued_at       timestamptz,
    not_after       timestamptz,               -- of the request at hand: the sweep waits for it
    dispatched_at   timestamptz,
    started_at      timestamptz,
    last_report_at  timestamptz,
    completed_at    timestamptz,
    PRIMARY KEY (campaign_id, device_id),
    CHECK (attempt > 0 OR status IN ('PENDING', 'SUCCESS', 'FAILED', 'SKIPPED')),
    CHECK ((skip_reason IS NOT NULL) = (status = 'SKIPPED')),
    CHECK (wait IS NULL OR status = 'PENDING')
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Guarantee: a device has at most one active update, over all campaigns.
CREATE UNIQUE INDEX IF NOT EXISTS ota_device_status_one_active ON ota_device_status (tenant_id, device_id)
    WHERE status IN ('QUEUED', 'DISPATCHED', 'DOWNLOADING', 'INSTALLING');
-- Claims, in their order.
CREATE INDEX IF NOT EXISTS ota_device_status_due ON ota_device_status (campaign_id, stage, next_attempt_at, rank)
    WHERE status = 'PENDING';
-- Whether a newer campaign has succeeded on a device.
CREATE INDEX IF NOT EXISTS ota_device_status_done ON ota_device_status (tenant_id, device_id, campaign_id)
    WHERE status = 'SUCCESS';
-- A device that was offline is heard.
CREATE INDEX IF NOT EXISTS ota_device_status_offline ON ota_device_status (tenant_id, device_id)
    WHERE status = 'PENDING' AND wait = 'offline';
-- The sweeps: requests past their not_after, attempts past their time limit.
CREATE INDEX IF NOT EXISTS ota_device_status_overdue ON ota_device_status (campaign_id, not_after)
    WHERE status = 'QUEUED';
CREATE INDEX IF NOT EXISTS ota_device_status_silent ON ota_device_status (campaign_id, dispatched_at)
    WHERE status IN ('DISPATCHED', 'DOWNLOADING', 'INSTALLING');
-- Operator retry, and the list of what went wrong.
CREATE INDEX IF NOT EXISTS ota_device_status_failed ON ota_device_status (campaign_id, device_id)
    WHERE status = 'FAILED';

-- counter: a status, or 'dispatched' (dispatched at least once), or 'failing' (failures, and not SUCCESS or SKIPPED).
CREATE TABLE IF NOT EXISTS ota_campaign_counters (
    campaign_id bigint NOT NULL,
    stage       integer NOT NULL,
    counter     text NOT NULL,
    tenant_id   text NOT NULL,
    n           bigint NOT NULL,
    PRIMARY KEY (campaign_id, stage, counter)
) WITH (fillfactor = 50);

CREATE OR REPLACE FUNCTION count_device_status() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    come text := 'SELECT campaign_id, stage, tenant_id, status, dispatched_at, failures, 1 AS sign FROM come';
    gone text := 'SELECT campaign_id, stage, tenant_id, status, dispatched_at, failures, -1 AS sign FROM gone';
BEGIN
    -- Rows of counters are locked in key order, here as everywhere.
    EXECUTE
        'INSERT INTO ota_campaign_counters AS c (campaign_id, stage, counter, tenant_id, n)
         SELECT r.campaign_id, r.stage, k.counter, r.tenant_id, sum(r.sign) AS change
           FROM (' || CASE TG_OP WHEN 'INSERT' THEN come WHEN 'DELETE' THEN gone
                      ELSE come || ' UNION ALL ' || gone END || ') r
          CROSS JOIN LATERAL (VALUES
                (r.status, true),
                (''dispatched'', r.dispatched_at IS NOT NULL),
                (''failing'', r.failures > 0 AND r.status NOT IN (''SUCCESS'', ''SKIPPED''))) k (counter, counts)
          WHERE k.counts
          GROUP BY 1, 2, 3, 4 HAVING sum(r.sign) <> 0
          ORDER BY 1, 2, 3
         ON CONFLICT (campaign_id, stage, counter) DO UPDATE SET n = c.n + excluded.n';
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ota_device_status_come AFTER INSERT ON ota_device_status
    REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_device_status();
CREATE OR REPLACE TRIGGER ota_device_status_change AFTER UPDATE ON ota_device_status
    REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_device_status();
CREATE OR REPLACE TRIGGER ota_device_status_go AFTER DELETE ON ota_device_status
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_device_status();

PERFORM pulse_protect('ota_device_status'), pulse_protect('ota_campaign_counters');
GRANT SELECT, INSERT, UPDATE, DELETE ON ota_device_status TO campaign_svc;
GRANT SELECT, UPDATE, DELETE ON ota_device_status TO campaign_loops;
GRANT SELECT, UPDATE ON ota_device_status TO status_ingest_svc;
GRANT SELECT, DELETE ON ota_campaign_counters TO campaign_svc, campaign_loops;
END $file$;
COMMIT;
