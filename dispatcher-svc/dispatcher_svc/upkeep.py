"""Once a second: what expired while it waited is settled, idle queues are forgotten, the gauges are set."""

import asyncio
import time
from collections.abc import Mapping

from dispatcher_svc import metrics
from dispatcher_svc.intake import Intake
from dispatcher_svc.knowledge import Knowledge
from dispatcher_svc.membership import Membership
from dispatcher_svc.partition import Partition

SECONDS = 1.0


async def keep_up(
    intake: Intake, partitions: Mapping[int, Partition], knowledge: Knowledge, membership: Membership
) -> None:
    """Until cancelled."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(SECONDS)
        intake.sweep()
        now = time.monotonic()
        _measure(partitions, now - last)
        metrics.KNOWLEDGE_AGE.set(knowledge.age(now) if intake.holds else 0)
        metrics.COMMIT_AGE.set(membership.age(now) if partitions else 0)
        last = now


def _measure(partitions: Mapping[int, Partition], elapsed: float) -> None:
    held = list(partitions.values())
    metrics.PROMISED.inc(elapsed * sum(partition.promised_rate for partition in held))
    metrics.PUBLISHED_BY_CAMPAIGN.keep(set().union(*(partition.campaigns for partition in held)))
    metrics.PARTITIONS.set(len(held))
    metrics.QUEUED.set(sum(len(partition) for partition in held))
    metrics.UNSETTLED.set(sum(partition.watermark.unsettled for partition in held))
    metrics.IN_FLIGHT.set(sum(partition.in_flight for partition in held))
