"""How many devices there are, and how many were heard of lately, of all tenants together; from counters."""

from campaign_svc.metrics import FLEET, FLEET_HEARD
from pulse.runtime.db import Pool

_SIZE = """
SELECT (SELECT coalesce(sum(devices), 0)::bigint FROM device_version_counts) AS registered,
       (SELECT coalesce(sum(devices), 0)::bigint FROM device_heard_counts WHERE since > now() - interval '65 minutes')
       AS heard
"""


async def measure(pool: Pool) -> None:
    row = await pool.fetchrow(_SIZE)
    if row is not None:
        FLEET.set(row["registered"])
        FLEET_HEARD.set(row["heard"])
