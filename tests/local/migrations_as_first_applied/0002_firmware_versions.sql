-- Firmware versions: written once, never changed; they can only be withdrawn.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

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

SELECT pulse_protect('firmware_versions');
GRANT SELECT, INSERT, UPDATE (status, withdrawn_at, withdrawn_by, withdrawn_reason) ON firmware_versions TO catalog_svc;
GRANT SELECT ON firmware_versions TO campaign_svc, campaign_loops;
COMMIT;
