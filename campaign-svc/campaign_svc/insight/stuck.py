"""Gates that cannot open by themselves for now are marked, and those that can again are not."""

import structlog

from campaign_svc.engine.gates import is_stuck
from campaign_svc.insight import stuck_store as store
from pulse.runtime.db import Pool

log = structlog.get_logger()


async def note(pool: Pool) -> None:
    """Looks at the gate of every running stage once; writes only where that changes."""
    async with pool.acquire(timeout=10) as conn:
        for one in await store.running_gates(conn):
            stuck = is_stuck(one.stage, one.queued_again)
            if stuck != one.stage.stuck:
                await store.mark(conn, one.campaign_id, one.stage.number, stuck)
                log.info("gate_stuck" if stuck else "gate_moves", campaign_id=one.campaign_id, stage=one.stage.number)
