-- The address and the description of a firmware version can be put right, with who and when; and what the address
-- answered when it was asked last.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

-- Of the address in file_url. All NULL: it was never asked. The size in bytes is the one that the address names.
ALTER TABLE firmware_versions
    ADD COLUMN IF NOT EXISTS address_checked_at timestamptz,
    ADD COLUMN IF NOT EXISTS address_reachable boolean,
    ADD COLUMN IF NOT EXISTS address_status integer,
    ADD COLUMN IF NOT EXISTS address_size_bytes bigint,
    ADD COLUMN IF NOT EXISTS address_warning_code text,
    ADD COLUMN IF NOT EXISTS address_warning text;

CREATE TABLE IF NOT EXISTS firmware_changes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    firmware_id bigint NOT NULL REFERENCES firmware_versions,
    at          timestamptz NOT NULL DEFAULT now(),
    by          text NOT NULL,
    field       text NOT NULL CHECK (field IN ('file_url', 'description')),
    old         text,
    new         text
);
CREATE INDEX IF NOT EXISTS firmware_changes_newest ON firmware_changes (firmware_id, id DESC);

-- In place of the one of 0002. Version, type, size and checksum say what the file is, and stay for ever; where it lies,
-- what people read about it, and what its address answered may change while the version is ACTIVE.
CREATE OR REPLACE FUNCTION firmware_versions_stay() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    free text[] := '{}';
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a firmware version is never deleted, only withdrawn' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'ACTIVE' AND NEW.status = 'WITHDRAWN' THEN
        free := '{status, withdrawn_at, withdrawn_by, withdrawn_reason}';
    ELSIF OLD.status = 'ACTIVE' THEN
        free := '{file_url, description, address_checked_at, address_reachable, address_status, address_size_bytes,
                  address_warning_code, address_warning}';
    END IF;
    IF OLD.status = 'WITHDRAWN' OR to_jsonb(NEW) - free IS DISTINCT FROM to_jsonb(OLD) - free THEN
        RAISE EXCEPTION 'of a firmware version only address and description change, until it is withdrawn, once'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

SELECT pulse_protect('firmware_changes');
GRANT SELECT, INSERT ON firmware_changes TO catalog_svc;
GRANT UPDATE (file_url, description, address_checked_at, address_reachable, address_status, address_size_bytes,
              address_warning_code, address_warning) ON firmware_versions TO catalog_svc;
COMMIT;
