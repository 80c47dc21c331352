"""Tables like `ota_device_status`, with the same indexes and no trigger: what is measured is compared with them."""

import asyncpg

_LIKE_IT = """
CREATE TABLE {name} (LIKE ota_device_status INCLUDING ALL)
    WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)
"""
_GIVEN = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = 'ota_device_status'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


async def make(sql: asyncpg.Connection, name: str) -> None:
    """An empty one."""
    await sql.execute(_LIKE_IT.format(name=name))


async def fill(sql: asyncpg.Connection, name: str, campaign: int) -> None:
    """The campaign's rows, in their order; a column that is computed from others is computed again."""
    columns = await sql.fetchval(_GIVEN)
    await sql.execute(
        f"INSERT INTO {name} ({columns}) SELECT {columns} FROM ota_device_status WHERE campaign_id = $1",
        campaign,
        timeout=300,
    )
