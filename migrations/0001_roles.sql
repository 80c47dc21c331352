-- One role per duty, the owner of all tables, and the one way in which tenants are kept apart.
-- Run it with: psql "$POSTGRES_DSN" < migrations/0001_roles.sql   (again is harmless, from two places too)
-- same effect as: d08615232d946e541aa95e694c29cefe3ef3323cac8e1c05fa90afd78c2c3fb2
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
COMMIT;
