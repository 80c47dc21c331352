-- One event per row, merged before; the rules of pulse.contracts.status.step, for a whole batch in one statement.
-- Rows are locked in key order first, so that what is judged is what is changed; then the devices that were heard; the
-- triggers' counters come last, with the end of the statement.
WITH incoming AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::smallint[], $6::text[], $7::text[],
                         $8::integer[])
        WITH ORDINALITY AS i (campaign_id, device_id, attempt, event, progress, error_code, error_message,
                              max_attempts, nth)
), keys AS (
    SELECT campaign_id, device_id FROM incoming
    UNION
    SELECT s.campaign_id, s.device_id                    -- a device is heard: its rows of all campaigns that wait for it
      FROM unnest($9::text[], $10::text[]) AS h (tenant_id, device_id)
      JOIN ota_device_status s USING (tenant_id, device_id)
     WHERE s.phase = 'PENDING' AND s.wait = 'offline'
), locked AS MATERIALIZED (
    SELECT s.campaign_id, s.device_id, s.status, s.attempt, s.failures, s.wait, s.stage
      FROM keys JOIN ota_device_status s USING (campaign_id, device_id)
     ORDER BY s.campaign_id, s.device_id
       FOR UPDATE OF s
), judged AS MATERIALIZED (
    SELECT l.*, i.nth, i.event, i.progress, i.error_code AS new_code, i.error_message AS new_message,
           coalesce(i.event IN ('DOWNLOADING', 'INSTALLING', 'SUCCESS', 'FAILED'), true) AS heard,
           CASE
               -- of another attempt; without one a report counts only where it cannot be an older attempt's
               WHEN i.attempt <> l.attempt THEN NULL
               WHEN i.attempt IS NULL AND l.status = 'QUEUED' AND l.attempt > 1 THEN NULL
               WHEN i.attempt IS NULL AND l.status = 'PENDING' THEN NULL
               WHEN l.status IN ('SUCCESS', 'FAILED', 'SKIPPED') THEN NULL
               WHEN i.event = 'SUCCESS' THEN 'SUCCESS'
               WHEN l.status = 'PENDING' THEN NULL       -- only a claim makes a row active
               WHEN i.event = 'FAILED' AND l.failures + 1 < i.max_attempts THEN 'PENDING'
               WHEN i.event = 'FAILED' THEN 'FAILED'
               WHEN i.event = 'INSTALLING' THEN 'INSTALLING'
               WHEN i.event = 'DOWNLOADING' AND l.status <> 'INSTALLING' THEN 'DOWNLOADING'
               WHEN i.event = 'DOWNLOADING' THEN NULL
               WHEN l.status <> 'QUEUED' THEN NULL       -- a dispatch result counts only while its request is out
               WHEN i.event = 'PUBLISHED' THEN 'DISPATCHED'
               WHEN i.event IN ('NO_SUBSCRIBER', 'REFUSED', 'RETURNED', 'EXPIRED', 'CANCELLED') THEN 'PENDING'
           END AS becomes
      FROM locked l LEFT JOIN incoming i USING (campaign_id, device_id)
), changed AS (
    UPDATE ota_device_status s SET
        status = coalesce(j.becomes, s.status),
        failures = s.failures + CASE WHEN j.becomes IS NOT NULL AND j.event = 'FAILED' THEN 1 ELSE 0 END,
        progress_pct = CASE
            WHEN j.becomes = 'SUCCESS' THEN 100
            WHEN j.becomes = s.status THEN greatest(s.progress_pct, j.progress)
            WHEN j.becomes IN ('DOWNLOADING', 'INSTALLING') THEN coalesce(j.progress, s.progress_pct)
            ELSE s.progress_pct END,
        error_code = CASE
            WHEN j.becomes = 'SUCCESS' THEN NULL
            WHEN j.becomes IS NOT NULL AND j.event IN ('FAILED', 'REFUSED') THEN j.new_code
            ELSE s.error_code END,
        error_message = CASE
            WHEN j.becomes = 'SUCCESS' THEN NULL
            WHEN j.becomes IS NOT NULL AND j.event IN ('FAILED', 'REFUSED') THEN j.new_message
            ELSE s.error_message END,
        wait = CASE
            WHEN j.becomes IS DISTINCT FROM 'PENDING' THEN NULL
            WHEN j.event = 'FAILED' THEN 'retry'
            WHEN j.event = 'NO_SUBSCRIBER' THEN 'offline'
            WHEN j.event = 'REFUSED' THEN 'refused' END,
        offline_tries = CASE
            WHEN j.heard THEN 0
            WHEN j.event IN ('NO_SUBSCRIBER', 'REFUSED') THEN s.offline_tries + 1
            ELSE s.offline_tries END,
        next_attempt_at = CASE
            WHEN j.becomes IS NOT NULL AND j.becomes <> 'PENDING' THEN s.next_attempt_at
            WHEN j.becomes = 'PENDING' AND j.event = 'FAILED' THEN
                now() + least($13::float8 * power(4, s.failures), 3600) * (0.8 + 0.4 * random()) * interval '1 second'
            WHEN j.becomes = 'PENDING' AND j.event IN ('NO_SUBSCRIBER', 'REFUSED') THEN
                now() + least($14::float8 * power(2, least(s.offline_tries, 20)), 3600)
                      * (0.8 + 0.4 * random()) * interval '1 second'
            ELSE now() END,
        dispatched_at = CASE
            WHEN s.status = 'QUEUED' AND (j.heard OR j.event = 'PUBLISHED') THEN now()
            WHEN j.becomes = 'SUCCESS' THEN coalesce(s.dispatched_at, now())
            ELSE s.dispatched_at END,
        started_at = CASE
            WHEN j.becomes IN ('DOWNLOADING', 'INSTALLING') AND s.status IN ('QUEUED', 'DISPATCHED') THEN now()
            ELSE s.started_at END,
        last_report_at = CASE WHEN j.becomes IS NOT NULL AND j.heard THEN now() ELSE s.last_report_at END,
        completed_at = CASE WHEN j.becomes IN ('SUCCESS', 'FAILED') THEN now() ELSE s.completed_at END
      FROM judged j
     -- By key alone: a row is locked, so it still is as judged. Its status here would be compared first as this
     -- statement's snapshot has it, and what another batch committed while we waited for its lock would be lost on us.
     WHERE s.campaign_id = j.campaign_id AND s.device_id = j.device_id
       AND (j.becomes IS NOT NULL OR (j.heard AND j.status = 'PENDING' AND j.wait = 'offline'))
    RETURNING s.campaign_id, s.device_id, s.failures, s.error_code
), said AS (
    -- Of each device the last word on its version that counts: that of a success only if the success did.
    SELECT DISTINCT ON (w.tenant_id, w.device_id) w.tenant_id, w.device_id, w.version
      FROM unnest($9::text[], $10::text[], $11::text[], $12::bigint[])
           WITH ORDINALITY AS w (tenant_id, device_id, version, campaign_id, nth)
      LEFT JOIN judged j ON j.campaign_id = w.campaign_id AND j.device_id = w.device_id
     WHERE w.campaign_id IS NULL OR j.becomes = 'SUCCESS'
     ORDER BY w.tenant_id, w.device_id, w.nth DESC
), news AS MATERIALIZED (
    SELECT d.tenant_id, d.device_id, coalesce(said.version, d.current_version) AS version
      FROM said JOIN devices d USING (tenant_id, device_id)
     WHERE (d.last_seen_at IS NULL OR d.last_seen_at < now() - interval '1 minute'
            OR d.current_version IS DISTINCT FROM coalesce(said.version, d.current_version))
       AND (SELECT count(*) FROM judged) >= 0    -- no device is locked before all rows are
     ORDER BY d.tenant_id, d.device_id
       FOR NO KEY UPDATE OF d
), noted AS (
    UPDATE devices d SET last_seen_at = now(), current_version = news.version
      FROM news WHERE d.tenant_id = news.tenant_id AND d.device_id = news.device_id
)
SELECT i.nth, j.status AS was, j.becomes, coalesce(j.attempt, 0) AS attempt, coalesce(j.stage, 0) AS stage,
       coalesce(c.failures, j.failures, 0) AS failures, c.error_code, now() AS at
  FROM incoming i
  LEFT JOIN judged j ON j.nth = i.nth
  LEFT JOIN changed c ON c.campaign_id = i.campaign_id AND c.device_id = i.device_id
