"""SQL that folds the rows of counts together: sums stay what they are, and reading them stays cheap."""

from pulse.runtime.db import Pool, transaction

# One replica at a time: rows that two of them folded would be waited for, never counted twice.
_MINE = "SELECT pg_try_advisory_xact_lock(2, hashtext('fold counts'))"
_FOLD_VERSIONS = """
WITH taken AS (
    DELETE FROM device_version_counts c
     USING (SELECT tenant_id, device_type, current_version FROM device_version_counts
             GROUP BY 1, 2, 3 HAVING count(*) > 1) many
     WHERE c.tenant_id = many.tenant_id AND c.device_type = many.device_type
       AND c.current_version IS NOT DISTINCT FROM many.current_version
    RETURNING c.*)
INSERT INTO device_version_counts
SELECT tenant_id, device_type, current_version, sum(devices) FROM taken GROUP BY 1, 2, 3 HAVING sum(devices) <> 0
"""
_FORGET_HEARD = "DELETE FROM device_heard_counts WHERE since < now() - interval '3 hours'"
_FOLD_HEARD = """
WITH taken AS (
    DELETE FROM device_heard_counts c
     USING (SELECT tenant_id, since FROM device_heard_counts GROUP BY 1, 2 HAVING count(*) > 1) many
     WHERE c.tenant_id = many.tenant_id AND c.since = many.since
    RETURNING c.*)
INSERT INTO device_heard_counts
SELECT tenant_id, since, sum(devices) FROM taken GROUP BY 1, 2 HAVING sum(devices) <> 0
"""
_FORGET_FAILURES = "DELETE FROM tenant_failures WHERE hour < now() - interval '26 hours'"


async def fold(pool: Pool) -> None:
    """Folds what was added since, and drops what nobody asks for any more; nothing where another replica is at it."""
    async with transaction(pool) as conn:
        if await conn.fetchval(_MINE):
            for statement in (_FOLD_VERSIONS, _FORGET_HEARD, _FOLD_HEARD, _FORGET_FAILURES):
                await conn.execute(statement)
