-- Devices and their groups, with totals that cost nothing to read.
-- same effect as: 5990b1a7420623e5f0e5be4b1dc69bcc690554002f1010f3170823118a6c6498
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('devices') IS NOT NULL THEN RETURN; END IF;

CREATE TABLE IF NOT EXISTS devices (
    tenant_id       text NOT NULL,
    device_id       text NOT NULL,
    device_type     text NOT NULL,
    current_version text,
    attributes      jsonb NOT NULL DEFAULT '{}',
    last_seen_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id)
) WITH (fillfactor = 80);  -- last_seen_at and current_version change often, in place

CREATE TABLE IF NOT EXISTS device_groups (
    tenant_id    text NOT NULL,
    group_id     text NOT NULL,
    name         text NOT NULL,
    description  text,
    member_count bigint NOT NULL DEFAULT 0 CHECK (member_count >= 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id)
);

CREATE TABLE IF NOT EXISTS device_group_members (
    tenant_id text NOT NULL,
    group_id  text NOT NULL,
    device_id text NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id, device_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES device_groups ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS device_group_members_of_device ON device_group_members (tenant_id, device_id);

CREATE TABLE IF NOT EXISTS device_totals (
    tenant_id text PRIMARY KEY,
    devices   bigint NOT NULL CHECK (devices >= 0)
);

CREATE OR REPLACE FUNCTION count_devices() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO device_totals AS t (tenant_id, devices)
            SELECT tenant_id, count(*) FROM changed GROUP BY tenant_id ORDER BY tenant_id
            ON CONFLICT (tenant_id) DO UPDATE SET devices = t.devices + excluded.devices;
    ELSE
        UPDATE device_totals t SET devices = t.devices - c.n
            FROM (SELECT tenant_id, count(*) AS n FROM changed GROUP BY tenant_id ORDER BY tenant_id) c
            WHERE t.tenant_id = c.tenant_id;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER devices_come AFTER INSERT ON devices
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_devices();
CREATE OR REPLACE TRIGGER devices_go AFTER DELETE ON devices
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_devices();

CREATE OR REPLACE FUNCTION count_members() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE device_groups g SET member_count = g.member_count + CASE TG_OP WHEN 'INSERT' THEN c.n ELSE -c.n END
        FROM (SELECT tenant_id, group_id, count(*) AS n FROM changed GROUP BY tenant_id, group_id) c
        WHERE g.tenant_id = c.tenant_id AND g.group_id = c.group_id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER members_come AFTER INSERT ON device_group_members
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_members();
CREATE OR REPLACE TRIGGER members_go AFTER DELETE ON device_group_members
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_members();

PERFORM pulse_protect('devices'), pulse_protect('device_groups'), pulse_protect('device_group_members'),
        pulse_protect('device_totals');
GRANT SELECT, INSERT, UPDATE, DELETE ON devices, device_groups, device_group_members TO campaign_svc;
GRANT SELECT ON device_totals TO campaign_svc;
GRANT SELECT ON devices TO campaign_loops;
GRANT SELECT (tenant_id, device_id, device_type, current_version, last_seen_at) ON devices TO status_ingest_svc;
GRANT UPDATE (current_version, last_seen_at) ON devices TO status_ingest_svc;
END $file$;
COMMIT;
