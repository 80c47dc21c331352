-- Mends a database on which 0005 or 0010, as they once were, was run again: each put an older count_device_status back,
-- which does not count who waits ('offline', 'refused', 'retry'), and 0005 brought back seven indexes that 0012 had
-- replaced. Where that did not happen, this reads who waits (a second for half a million), changes nothing and locks
-- nothing. Where it did, nobody reads or writes ota_device_status until the commit: two seconds for a million rows.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$
DECLARE
    -- The older functions know nothing of `wait`; a later one is left as it is.
    old_function CONSTANT boolean := (SELECT prosrc NOT LIKE '%wait%' FROM pg_proc
                                       WHERE oid = 'count_device_status'::regproc);
    old_indexes CONSTANT boolean := EXISTS (SELECT FROM pg_class WHERE relkind = 'i' AND relname IN (
        'ota_device_status_one_active', 'ota_device_status_due', 'ota_device_status_done', 'ota_device_status_offline',
        'ota_device_status_overdue', 'ota_device_status_silent', 'ota_device_status_failed'));
    -- Counters and rows agree at every commit, so one statement sees whether they do, without a lock.
    wrong_counters CONSTANT boolean := EXISTS (
        SELECT FROM (SELECT campaign_id, stage, wait AS counter, count(*) AS n FROM ota_device_status
                      WHERE wait IS NOT NULL GROUP BY 1, 2, 3) counted
          FULL JOIN (SELECT campaign_id, stage, counter, n FROM ota_campaign_counters
                      WHERE counter IN ('offline', 'refused', 'retry')) told USING (campaign_id, stage, counter)
         WHERE coalesce(counted.n, 0) <> coalesce(told.n, 0));
BEGIN
IF NOT (old_function OR old_indexes OR wrong_counters) THEN RETURN; END IF;

-- At once the lock that dropping an index needs: one that is raised later may wait for somebody who waits for us.
LOCK TABLE ota_device_status IN ACCESS EXCLUSIVE MODE;

DROP INDEX IF EXISTS ota_device_status_one_active, ota_device_status_due, ota_device_status_done,
    ota_device_status_offline, ota_device_status_overdue, ota_device_status_silent, ota_device_status_failed;

IF old_function THEN
-- As 0013 has it.
CREATE OR REPLACE FUNCTION count_device_status() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    -- Rows of counters are locked in key order, here as everywhere.
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO ota_campaign_counters AS c (campaign_id, stage, counter, tenant_id, n)
            SELECT r.campaign_id, r.stage, k.counter, r.tenant_id, sum(r.n)
              FROM (SELECT campaign_id, stage, tenant_id, status, wait, dispatched_at IS NOT NULL AS dispatched,
                           failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED') AS failing, count(*) AS n
                      FROM come GROUP BY 1, 2, 3, 4, 5, 6, 7
                    UNION ALL
                    SELECT campaign_id, stage, tenant_id, status, wait, dispatched_at IS NOT NULL,
                           failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED'), -count(*)
                      FROM gone GROUP BY 1, 2, 3, 4, 5, 6, 7) r
             CROSS JOIN LATERAL (VALUES (r.status, true), ('dispatched', r.dispatched), ('failing', r.failing),
                                        (r.wait, r.wait IS NOT NULL)) k (counter, counts)
             WHERE k.counts
             GROUP BY 1, 2, 3, 4 HAVING sum(r.n) <> 0 ORDER BY 1, 2, 3
            ON CONFLICT (campaign_id, stage, counter) DO UPDATE SET n = c.n + excluded.n;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO ota_campaign_counters AS c (campaign_id, stage, counter, tenant_id, n)
            SELECT r.campaign_id, r.stage, k.counter, r.tenant_id, sum(r.n)
              FROM (SELECT campaign_id, stage, tenant_id, status, wait, dispatched_at IS NOT NULL AS dispatched,
                           failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED') AS failing, count(*) AS n
                      FROM come GROUP BY 1, 2, 3, 4, 5, 6, 7) r
             CROSS JOIN LATERAL (VALUES (r.status, true), ('dispatched', r.dispatched), ('failing', r.failing),
                                        (r.wait, r.wait IS NOT NULL)) k (counter, counts)
             WHERE k.counts
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3
            ON CONFLICT (campaign_id, stage, counter) DO UPDATE SET n = c.n + excluded.n;
    ELSE
        INSERT INTO ota_campaign_counters AS c (campaign_id, stage, counter, tenant_id, n)
            SELECT r.campaign_id, r.stage, k.counter, r.tenant_id, sum(r.n)
              FROM (SELECT campaign_id, stage, tenant_id, status, wait, dispatched_at IS NOT NULL AS dispatched,
                           failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED') AS failing, -count(*) AS n
                      FROM gone GROUP BY 1, 2, 3, 4, 5, 6, 7) r
             CROSS JOIN LATERAL (VALUES (r.status, true), ('dispatched', r.dispatched), ('failing', r.failing),
                                        (r.wait, r.wait IS NOT NULL)) k (counter, counts)
             WHERE k.counts
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3
            ON CONFLICT (campaign_id, stage, counter) DO UPDATE SET n = c.n + excluded.n;
    END IF;
    RETURN NULL;
END $$;
END IF;

DELETE FROM ota_campaign_counters WHERE counter IN ('offline', 'refused', 'retry');
INSERT INTO ota_campaign_counters (campaign_id, stage, counter, tenant_id, n)
    SELECT campaign_id, stage, wait, tenant_id, count(*) FROM ota_device_status
     WHERE wait IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3;
END $file$;
COMMIT;
