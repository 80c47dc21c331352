-- What is told of a running campaign besides its counters: pace, promise, failures by reason, its history.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('pulse-ota migrations'));
SET LOCAL ROLE pulse_owner;

-- The promise: how many devices the rate alone allowed to be commanded while the campaign was RUNNING, settled at every
-- control change and going on from there at promised_rate. slow_since: since when it is far below its rate.
ALTER TABLE ota_campaigns
    ADD COLUMN IF NOT EXISTS promised double precision NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS promised_at timestamptz,                       -- the last control change, once started
    ADD COLUMN IF NOT EXISTS promised_rate double precision NOT NULL DEFAULT 0,  -- devices a second; 0: not RUNNING
    ADD COLUMN IF NOT EXISTS slow_since timestamptz;

-- Never more than the devices to be updated in the stages that were open, and never less than it was.
CREATE OR REPLACE FUNCTION campaign_promise(campaign ota_campaigns, at timestamptz) RETURNS double precision
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT greatest(campaign.promised, least(
        campaign.promised + campaign.promised_rate * coalesce(extract(epoch FROM at - campaign.promised_at), 0),
        (SELECT sum(n) FROM ota_campaign_counters c
          WHERE c.campaign_id = campaign.id AND c.stage <= campaign.current_stage
            AND c.counter IN ('PENDING', 'QUEUED', 'DISPATCHED', 'DOWNLOADING', 'INSTALLING', 'SUCCESS', 'FAILED'))))
$$;

CREATE OR REPLACE FUNCTION settle_promise() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    NEW.promised := campaign_promise(OLD, clock_timestamp());
    NEW.promised_at := clock_timestamp();
    NEW.slow_since := NULL;
    NEW.promised_rate := CASE WHEN NEW.status = 'RUNNING' THEN
        (SELECT rollout_rate / 60.0 FROM ota_campaign_stages
          WHERE campaign_id = NEW.id AND number = NEW.current_stage) ELSE 0 END;
    RETURN NEW;
END $$;
-- A change of rate raises the epoch after the stages have the new one.
CREATE OR REPLACE TRIGGER ota_campaigns_promise BEFORE UPDATE ON ota_campaigns FOR EACH ROW
    WHEN (OLD.epoch <> NEW.epoch OR OLD.current_stage <> NEW.current_stage) EXECUTE FUNCTION settle_promise();

-- By the last error code: devices with failures that are not SUCCESS or SKIPPED.
CREATE TABLE IF NOT EXISTS ota_campaign_reasons (
    campaign_id bigint NOT NULL,
    error_code  text NOT NULL,
    tenant_id   text NOT NULL,
    devices     bigint NOT NULL,
    PRIMARY KEY (campaign_id, error_code)
) WITH (fillfactor = 50);
-- Devices choose their codes: however many there are, the largest cost nothing to find.
CREATE INDEX IF NOT EXISTS ota_campaign_reasons_largest ON ota_campaign_reasons (campaign_id, devices DESC)
    WHERE devices > 0;

-- Attempts that failed, ever: it only grows, where a retry sets the rows' failures back to 0.
CREATE TABLE IF NOT EXISTS ota_campaign_failures (
    campaign_id bigint PRIMARY KEY,
    tenant_id   text NOT NULL,
    attempts    bigint NOT NULL
) WITH (fillfactor = 50);

-- Attempts that failed, by the hour.
CREATE TABLE IF NOT EXISTS tenant_failures (
    tenant_id  text NOT NULL,
    hour       timestamptz NOT NULL,
    error_code text NOT NULL,
    attempts   bigint NOT NULL,
    PRIMARY KEY (tenant_id, hour, error_code)
) WITH (fillfactor = 50);

-- Commands that went out, in the last 80 seconds: a ring of 16 times 5 seconds.
CREATE TABLE IF NOT EXISTS ota_campaign_pace (
    campaign_id bigint NOT NULL,
    slot        smallint NOT NULL,
    tenant_id   text NOT NULL,
    at          timestamptz NOT NULL,          -- when the slot's 5 seconds began
    dispatched  bigint NOT NULL,
    PRIMARY KEY (campaign_id, slot)
) WITH (fillfactor = 50);

-- How the campaign stood. `number` counts seconds of history, `counts` has devices by status.
CREATE TABLE IF NOT EXISTS ota_campaign_history (
    campaign_id     bigint NOT NULL,
    number          bigint NOT NULL,
    tenant_id       text NOT NULL,
    at              timestamptz NOT NULL,
    promised        double precision NOT NULL,
    counts          jsonb NOT NULL,
    failed_attempts bigint NOT NULL,
    PRIMARY KEY (campaign_id, number)
);

-- Locks, after those of ota_campaign_counters (its triggers come first by name): reasons, failures, tenant_failures,
-- pace, each in key order.
CREATE OR REPLACE FUNCTION count_reasons() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    sign CONSTANT integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO ota_campaign_reasons AS r (campaign_id, error_code, tenant_id, devices)
        SELECT campaign_id, coalesce(error_code, 'device_error'), tenant_id, sign * count(*)
          FROM changed WHERE failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED')
         GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (campaign_id, error_code) DO UPDATE SET devices = r.devices + excluded.devices;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_attempts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    slot_at CONSTANT timestamptz := date_bin('5 seconds', now(), 'epoch');
BEGIN
    IF EXISTS (SELECT FROM come WHERE failures > 0) OR EXISTS (SELECT FROM gone WHERE failures > 0) THEN
        INSERT INTO ota_campaign_reasons AS r (campaign_id, error_code, tenant_id, devices)
            SELECT campaign_id, coalesce(error_code, 'device_error'), tenant_id, sum(sign)
              FROM (SELECT campaign_id, error_code, tenant_id, 1 AS sign FROM come
                     WHERE failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED')
                    UNION ALL
                    SELECT campaign_id, error_code, tenant_id, -1 FROM gone
                     WHERE failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED')) failing
             GROUP BY 1, 2, 3 HAVING sum(sign) <> 0 ORDER BY 1, 2
            ON CONFLICT (campaign_id, error_code) DO UPDATE SET devices = r.devices + excluded.devices;
        INSERT INTO ota_campaign_failures AS f (campaign_id, tenant_id, attempts)
            SELECT c.campaign_id, c.tenant_id, sum(c.failures - g.failures)
              FROM come c JOIN gone g USING (campaign_id, device_id) WHERE c.failures > g.failures
             GROUP BY 1, 2 ORDER BY 1
            ON CONFLICT (campaign_id) DO UPDATE SET attempts = f.attempts + excluded.attempts;
        INSERT INTO tenant_failures AS f (tenant_id, hour, error_code, attempts)
            SELECT c.tenant_id, date_trunc('hour', now(), 'UTC'), coalesce(c.error_code, 'device_error'),
                   sum(c.failures - g.failures)
              FROM come c JOIN gone g USING (campaign_id, device_id) WHERE c.failures > g.failures
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (tenant_id, hour, error_code) DO UPDATE SET attempts = f.attempts + excluded.attempts;
    END IF;
    -- Commands of this very transaction: whoever writes dispatched_at writes the transaction's time.
    INSERT INTO ota_campaign_pace AS p (campaign_id, slot, tenant_id, at, dispatched)
        SELECT campaign_id, (extract(epoch FROM slot_at) / 5)::bigint % 16, tenant_id, slot_at, sum(sign)
          FROM (SELECT campaign_id, tenant_id, 1 AS sign FROM come WHERE dispatched_at >= now()
                UNION ALL SELECT campaign_id, tenant_id, -1 FROM gone WHERE dispatched_at >= now()) dispatched
         GROUP BY 1, 2, 3 HAVING sum(sign) > 0 ORDER BY 1
        ON CONFLICT (campaign_id, slot) DO UPDATE SET at = greatest(p.at, excluded.at), dispatched = CASE
            WHEN p.at = excluded.at THEN p.dispatched + excluded.dispatched
            WHEN p.at < excluded.at THEN excluded.dispatched ELSE p.dispatched END;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ota_device_status_reasons_come AFTER INSERT ON ota_device_status
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_reasons();
CREATE OR REPLACE TRIGGER ota_device_status_reasons_go AFTER DELETE ON ota_device_status
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_reasons();
CREATE OR REPLACE TRIGGER ota_device_status_tried AFTER UPDATE ON ota_device_status
    REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION count_attempts();

CREATE OR REPLACE FUNCTION forget_campaign_figures() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    DELETE FROM ota_campaign_reasons WHERE campaign_id IN (SELECT id FROM gone);
    DELETE FROM ota_campaign_failures WHERE campaign_id IN (SELECT id FROM gone);
    DELETE FROM ota_campaign_pace WHERE campaign_id IN (SELECT id FROM gone);
    DELETE FROM ota_campaign_history WHERE campaign_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ota_campaigns_figures_go AFTER DELETE ON ota_campaigns
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_campaign_figures();

-- What is there already is counted once more, whenever this file runs: the triggers' locks keep writers out till the
-- end. When attempts failed is not known of the past, only how many; what was dispatched stands for what was promised.
DELETE FROM ota_campaign_reasons;
INSERT INTO ota_campaign_reasons (campaign_id, error_code, tenant_id, devices)
    SELECT campaign_id, coalesce(error_code, 'device_error'), tenant_id, count(*)
      FROM ota_device_status WHERE failures > 0 AND status NOT IN ('SUCCESS', 'SKIPPED') GROUP BY 1, 2, 3;
INSERT INTO ota_campaign_failures (campaign_id, tenant_id, attempts)
    SELECT campaign_id, tenant_id, sum(failures) FROM ota_device_status WHERE failures > 0 GROUP BY 1, 2
    ON CONFLICT DO NOTHING;
UPDATE ota_campaigns c SET promised_at = now(),
    promised = coalesce((SELECT sum(n) FROM ota_campaign_counters WHERE campaign_id = c.id AND counter = 'dispatched'), 0),
    promised_rate = CASE WHEN c.status = 'RUNNING' THEN (SELECT rollout_rate / 60.0 FROM ota_campaign_stages s
                         WHERE s.campaign_id = c.id AND s.number = c.current_stage) ELSE 0 END
 WHERE promised_at IS NULL AND epoch > 0;

SELECT pulse_protect('ota_campaign_reasons'), pulse_protect('ota_campaign_failures'), pulse_protect('tenant_failures'),
       pulse_protect('ota_campaign_pace'), pulse_protect('ota_campaign_history');
GRANT SELECT ON ota_campaign_reasons, ota_campaign_failures, tenant_failures, ota_campaign_pace, ota_campaign_history
    TO campaign_svc, campaign_loops;
GRANT INSERT, DELETE ON ota_campaign_history TO campaign_loops;
GRANT DELETE ON tenant_failures TO campaign_loops;
COMMIT;
