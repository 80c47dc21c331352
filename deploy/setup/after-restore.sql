-- After the database was restored from a backup, while all services are stopped: nothing that was told to devices after the
-- backup can be taken for something that is told them from now on. Again is harmless. docs/operations.md says when.
--   psql "$POSTGRES_DSN" -v ON_ERROR_STOP=1 < deploy/setup/after-restore.sql
BEGIN;

-- Campaigns made after the backup are gone. Devices still report on them: their numbers are never used again.
SELECT setval(sequence, nextval(sequence) + 100000) FROM pg_get_serial_sequence('ota_campaigns', 'id') AS sequence;

-- What happened to a device after the backup is not known: every unfinished one is asked again, under attempts that were
-- never used. One that has the version answers SUCCESS at once, one at work goes on and reports under the new attempt.
UPDATE ota_device_status
   SET status = 'PENDING', attempt = attempt + 1000, progress_pct = 0, wait = NULL, offline_tries = 0,
       next_attempt_at = '-infinity', not_after = NULL
 WHERE status IN ('PENDING', 'QUEUED', 'DISPATCHED', 'DOWNLOADING', 'INSTALLING');
-- An operator may try these again.
UPDATE ota_device_status SET attempt = attempt + 1000 WHERE status = 'FAILED';

COMMIT;
