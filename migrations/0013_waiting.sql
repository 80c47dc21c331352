-- How many devices wait, and for what: counters 'offline', 'refused' and 'retry' (a row's `wait`) beside those of the
-- states, and an index for the list of them.
-- same effect as: 09bae6a65184ef7580608bc0d60b696525ed3238f6e47f0dc94df2872176d415
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('ota_device_status_wait') IS NOT NULL THEN RETURN; END IF;

-- Nobody writes from here to the commit, half a second for a million rows: what is counted below is what the old trigger
-- saw, and all that comes later meets the new one.
LOCK TABLE ota_device_status IN SHARE MODE;

-- As before (0010), with `wait` in it. Devices that do not wait are in the same groups as they were.
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

DELETE FROM ota_campaign_counters WHERE counter IN ('offline', 'refused', 'retry');
INSERT INTO ota_campaign_counters (campaign_id, stage, counter, tenant_id, n)
    SELECT campaign_id, stage, wait, tenant_id, count(*) FROM ota_device_status
     WHERE phase = 'PENDING' AND wait IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3;

-- The list of those that wait. A row that does not is not in it, and updates of such rows are in place as before.
CREATE INDEX IF NOT EXISTS ota_device_status_wait ON ota_device_status (campaign_id, wait, device_id)
    WHERE wait IS NOT NULL;
END $file$;
COMMIT;
