-- Versions in the field and devices heard, without reading the devices.
-- A count is the sum of its rows: writers only ever add rows (+1, -1), so nobody waits for anybody and nothing can
-- deadlock, in whatever order transactions touch devices; campaign-svc folds the rows together every few seconds.
-- same effect as: 53f93bcd19aea871565b4aaa1e45cd671e3e66853102c8c843d68f04ba408da7
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('device_version_counts') IS NOT NULL THEN RETURN; END IF;

CREATE TABLE IF NOT EXISTS device_version_counts (
    tenant_id       text NOT NULL,
    device_type     text NOT NULL,
    current_version text,                       -- NULL: not known
    devices         bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS device_version_counts_of ON device_version_counts (tenant_id);

-- By the five minutes in which a device was last heard; older than two hours is not kept.
CREATE TABLE IF NOT EXISTS device_heard_counts (
    tenant_id text NOT NULL,
    since     timestamptz NOT NULL,
    devices   bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS device_heard_counts_of ON device_heard_counts (tenant_id, since);

CREATE OR REPLACE FUNCTION count_fleet() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    sign CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO device_version_counts
        SELECT tenant_id, device_type, current_version, sign * count(*) FROM changed GROUP BY 1, 2, 3;
    INSERT INTO device_heard_counts
        SELECT tenant_id, date_bin('5 minutes', last_seen_at, 'epoch'), sign * count(*)
          FROM changed WHERE last_seen_at > now() - interval '2 hours' GROUP BY 1, 2;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_fleet_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO device_version_counts
        SELECT tenant_id, device_type, current_version, sum(sign)
          FROM (SELECT tenant_id, device_type, current_version, 1 AS sign FROM come
                UNION ALL SELECT tenant_id, device_type, current_version, -1 FROM gone) c
         GROUP BY 1, 2, 3 HAVING sum(sign) <> 0;
    INSERT INTO device_heard_counts
        SELECT tenant_id, date_bin('5 minutes', last_seen_at, 'epoch'), sum(sign)
          FROM (SELECT tenant_id, last_seen_at, 1 AS sign FROM come
                UNION ALL SELECT tenant_id, last_seen_at, -1 FROM gone) c
         WHERE last_seen_at > now() - interval '2 hours'
         GROUP BY 1, 2 HAVING sum(sign) <> 0;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER devices_fleet_come AFTER INSERT ON devices
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_fleet();
CREATE OR REPLACE TRIGGER devices_fleet_go AFTER DELETE ON devices
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_fleet();
CREATE OR REPLACE TRIGGER devices_fleet_change AFTER UPDATE ON devices
    REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_fleet_changes();

-- Devices that are there already are counted; the triggers' locks keep writers out.
DELETE FROM device_version_counts;
INSERT INTO device_version_counts
    SELECT tenant_id, device_type, current_version, count(*) FROM devices GROUP BY 1, 2, 3;
DELETE FROM device_heard_counts;
INSERT INTO device_heard_counts
    SELECT tenant_id, date_bin('5 minutes', last_seen_at, 'epoch'), count(*)
      FROM devices WHERE last_seen_at > now() - interval '2 hours' GROUP BY 1, 2;

PERFORM pulse_protect('device_version_counts'), pulse_protect('device_heard_counts');
GRANT SELECT ON device_version_counts, device_heard_counts TO campaign_svc, campaign_loops;
GRANT INSERT, DELETE ON device_version_counts, device_heard_counts TO campaign_loops;
END $file$;
COMMIT;
