"""Each second a replica says up to when it has taken everything in; the sweeps of campaign-svc go by that.

While no device is at work it says it less often.
"""

import asyncio
import time

import structlog
from aiokafka.errors import KafkaError

from pulse.runtime.db import Pool
from pulse.runtime.mqtt import MqttError
from status_ingest_svc import leases, metrics
from status_ingest_svc.leases import Lease
from status_ingest_svc.patience import insist
from status_ingest_svc.reports import Reports
from status_ingest_svc.watermarks import Watermarks

IDLE = 5
"""So many times longer are the pauses while no device is at work: no sweep waits for anything then."""

log = structlog.get_logger()


class CaughtUp:
    """`caught_up_at` is a time before the questions: all that was dealt or written by then is committed."""

    def __init__(self, database: Pool, lease: Lease, reports: Reports, watermarks: Watermarks, seconds: float) -> None:
        self._database = database
        self._lease = lease
        self._reports = reports
        self._watermarks = watermarks
        self._seconds = seconds

    async def run(self) -> None:
        """Serves until cancelled; a question that is disturbed is asked anew."""
        metrics.caught_up(time.monotonic())
        while True:
            active = True
            try:
                active = await self._ask()
            except (KafkaError, MqttError, TimeoutError) as error:
                log.warning("not_caught_up", reason=repr(error), ordinal=self._lease.ordinal)
            await asyncio.sleep(self._seconds if active else IDLE * self._seconds)

    async def _ask(self) -> bool:
        """Whether any device was at work."""
        asked = time.monotonic()
        at, active = await insist(lambda: leases.moment(self._database))
        ends = await self._watermarks.written()
        await self._reports.pass_marker()
        await self._watermarks.committed(ends)
        await insist(lambda: self._lease.caught_up(at))
        metrics.caught_up(asked)
        return active
