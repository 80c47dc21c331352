"""Control records to Kafka: what a campaign's row says goes to every dispatcher."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from campaign_svc.metrics import ANNOUNCED
from pulse.contracts.kafka import CONTROL, CampaignControl
from pulse.contracts.times import now
from pulse.runtime.db import Pool, transaction
from pulse.runtime.kafka import send

log = structlog.get_logger()


class Announcer:
    """Announces campaigns; waits for Kafka at most `timeout` seconds and without any lock in the database."""

    def __init__(self, pool: Pool, kafka: AIOKafkaProducer, timeout: float) -> None:
        self._pool = pool
        self._kafka = kafka
        self._timeout = timeout

    async def announce(self, tenant_id: str, campaign_id: int) -> bool:
        """Sends what the committed row says now; True once Kafka has it, False when that takes too long.

        A campaign that is CREATED or gone has nothing to announce, which is True. Raises the database's errors,
        never Kafka's: a change that could not be announced is announced again by the agreement loop.
        """
        record = await self._record(tenant_id, campaign_id)
        if record is None:
            return True
        try:
            async with asyncio.timeout(self._timeout):
                await (await send(self._kafka, CONTROL, record, record.key, 0))
        except (TimeoutError, KafkaError) as error:
            log.warning("not_announced", campaign_id=campaign_id, epoch=record.epoch, error=repr(error))
            ANNOUNCED.labels("no").inc()
            return False
        log.info("announced", campaign_id=campaign_id, epoch=record.epoch, status=record.status)
        ANNOUNCED.labels("yes").inc()
        return True

    async def _record(self, tenant_id: str, campaign_id: int) -> CampaignControl | None:
        async with transaction(self._pool, tenant_id) as conn:
            row = await conn.fetchrow(
                "SELECT status, epoch FROM ota_campaigns WHERE id = $1 AND status <> 'CREATED'", campaign_id
            )
        if row is None:
            return None
        return CampaignControl(
            tenant_id=tenant_id, campaign_id=campaign_id, epoch=row["epoch"], status=row["status"], at=now()
        )
