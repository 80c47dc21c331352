-- Firmware versions: written once, never changed; they can only be withdrawn.
-- same effect as: 770ae9ac8d43fe2b8d1e1e31b1e8a1a5439525b7723c68fb59b695e5aad6a3ad
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));

-- (the same lines stand in 0001 and 0002, so that either may be the first)
-- Roles belong to the whole server: another database's run may make them at the same moment.
DO $$
DECLARE
    service text;
BEGIN
    BEGIN
        IF to_regrole('pulse_owner') IS NULL THEN
            CREATE ROLE pulse_owner NOLOGIN NOSUPERUSER;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    -- Passwords are set by the set-up job; without one nobody can log in.
    FOREACH service IN ARRAY ARRAY['catalog_svc', 'campaign_svc', 'campaign_loops', 'status_ingest_svc'] LOOP
        BEGIN
            IF to_regrole(service) IS NULL THEN
                EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER', service);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    -- Whoever runs this acts as pulse_owner. From PostgreSQL 16 on, a role's maker may give it away, but not act as it.
    IF current_setting('server_version_num')::integer < 160000 THEN
        IF NOT pg_has_role(current_user, 'pulse_owner', 'MEMBER') THEN
            EXECUTE format('GRANT pulse_owner TO %I', current_user);
        END IF;
    ELSIF NOT pg_has_role(current_user, 'pulse_owner', 'SET') OR NOT pg_has_role(current_user, 'pulse_owner', 'USAGE')
    THEN
        EXECUTE format('GRANT pulse_owner TO %I WITH SET TRUE, INHERIT TRUE', current_user);
    END IF;
END $$;

DO $file$ BEGIN
IF to_regprocedure('pulse_protect(regclass)') IS NOT NULL THEN RETURN; END IF;

GRANT USAGE, CREATE ON SCHEMA public TO pulse_owner;
GRANT USAGE ON SCHEMA public TO catalog_svc, campaign_svc, campaign_loops, status_ingest_svc;
SET LOCAL ROLE pulse_owner;

-- Row level security of a table with a column tenant_id. The API's roles see the tenant that the transaction names
-- (set_config('app.tenant_id', …, true)); the loops work for all tenants. The sub-select is evaluated once a statement.
CREATE OR REPLACE FUNCTION pulse_protect(protected regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protected);
    EXECUTE format('DROP POLICY IF EXISTS one_tenant ON %s', protected);
    EXECUTE format(
        'CREATE POLICY one_tenant ON %s TO catalog_svc, campaign_svc'
        ' USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')))', protected);
    EXECUTE format('DROP POLICY IF EXISTS all_tenants ON %s', protected);
    EXECUTE format(
        'CREATE POLICY all_tenants ON %s TO pulse_owner, campaign_loops, status_ingest_svc USING (true)', protected);
END $$;
END $file$;
SET LOCAL ROLE pulse_owner;

DO $file$ BEGIN
IF to_regclass('firmware_versions') IS NOT NULL THEN RETURN; END IF;

CREATE TABLE IF NOT EXISTS firmware_versions (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        text NOT NULL,
    version          text NOT NULL,
    description      text,
    file_url         text NOT NULL,
    file_size_bytes  bigint NOT NULL CHECK (file_size_bytes > 0),
    checksum_sha256  text NOT NULL CHECK (checksum_sha256 ~ '^[0-9a-f]{64}$'),
    device_type      text,
    status           text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'WITHDRAWN')),
    created_at       timestamptz NOT NULL DEFAULT now(),
    created_by       text NOT NULL,
    withdrawn_at     timestamptz,
    withdrawn_by     text,
    withdrawn_reason text,
    CONSTRAINT firmware_versions_once UNIQUE NULLS NOT DISTINCT (tenant_id, version, device_type),
    CHECK ((status = 'WITHDRAWN') = (withdrawn_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS firmware_versions_newest ON firmware_versions (tenant_id, id DESC);

-- Held by the database, so that no code path can change what devices were promised.
CREATE OR REPLACE FUNCTION firmware_versions_stay() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a firmware version is never deleted, only withdrawn' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'WITHDRAWN' OR NEW.status <> 'WITHDRAWN'
        OR (NEW.id, NEW.tenant_id, NEW.version, NEW.description, NEW.file_url, NEW.file_size_bytes,
            NEW.checksum_sha256, NEW.device_type, NEW.created_at, NEW.created_by)
        IS DISTINCT FROM
           (OLD.id, OLD.tenant_id, OLD.version, OLD.description, OLD.file_url, OLD.file_size_bytes,
            OLD.checksum_sha256, OLD.device_type, OLD.created_at, OLD.created_by)
    THEN
        RAISE EXCEPTION 'a firmware version is never changed, only withdrawn once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER firmware_versions_stay BEFORE UPDATE OR DELETE ON firmware_versions
    FOR EACH ROW EXECUTE FUNCTION firmware_versions_stay();

PERFORM pulse_protect('firmware_versions');
GRANT SELECT, INSERT, UPDATE (status, withdrawn_at, withdrawn_by, withdrawn_reason) ON firmware_versions TO catalog_svc;
GRANT SELECT ON firmware_versions TO campaign_svc, campaign_loops;
END $file$;
COMMIT;
