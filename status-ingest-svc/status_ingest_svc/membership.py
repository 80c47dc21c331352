"""Which MQTT session this replica holds, and what becomes of sessions that nobody holds."""

import asyncio
from functools import partial
from uuid import uuid4

import structlog

from pulse.runtime.db import Pool
from status_ingest_svc import leases, metrics
from status_ingest_svc.caught_up import CaughtUp
from status_ingest_svc.ingest import Ingest
from status_ingest_svc.leases import Lease, LeaseLost
from status_ingest_svc.patience import insist
from status_ingest_svc.reports import Reports
from status_ingest_svc.settings import Settings
from status_ingest_svc.watermarks import Watermarks

LEAVE_SECONDS = 4.0
RENEWALS = 3
"""In each lease's time."""
LOOKS = 10
"""In each lease's time, for sessions that nobody holds: what waits there must not wait much longer than the lease."""

log = structlog.get_logger()


class Membership:
    """Holds one lease and serves its session; when the lease is lost, all of that is dropped and begun anew."""

    def __init__(self, database: Pool, ingest: Ingest, watermarks: Watermarks, settings: Settings) -> None:
        self._database = database
        self._ingest = ingest
        self._watermarks = watermarks
        self._settings = settings
        self._seconds = settings.ingest_lease_seconds
        self._holder = str(uuid4())
        self._held: tuple[Lease, Reports] | None = None

    async def is_subscribed(self) -> bool:
        """Whether reports can come in."""
        return self._held is not None and self._held[1].is_subscribed

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop`, and leaves in no more than 4 s; what is then left waits for another replica."""
        async with asyncio.TaskGroup() as group:
            belonging = group.create_task(self._belong(), name="belong")
            await stop.wait()
            try:
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._leave(belonging)
            except TimeoutError:
                log.warning("left_in_haste")
            belonging.cancel()

    async def _belong(self) -> None:
        metrics.ORDINAL.set(-1)
        while True:
            lease = await insist(lambda: leases.claim(self._database, self._holder, self._seconds))
            log.info("lease", ordinal=lease.ordinal)
            metrics.ORDINAL.set(lease.ordinal)
            try:
                await self._serve(lease)
            except* LeaseLost as lost:
                log.warning("lease_lost", reason=str(lost.exceptions[0]))

    async def _serve(self, lease: Lease) -> None:
        reports = Reports(lease, self._ingest, self._settings)
        caught_up = CaughtUp(self._database, lease, reports, self._watermarks, self._settings.caught_up_seconds)
        self._held = lease, reports
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(reports.run(), name="reports")
                group.create_task(self._keep(lease), name="lease")
                group.create_task(caught_up.run(), name="caught-up")
                group.create_task(self._take_over_abandoned(), name="take-over")
        finally:
            self._held = None

    async def _keep(self, lease: Lease) -> None:
        """Raises LeaseLost."""
        while True:
            await asyncio.sleep(self._seconds / RENEWALS)
            await insist(lease.renew)

    async def _leave(self, belonging: asyncio.Task[None]) -> None:
        """Ends the session, if others are there to take the reports; the last one keeps it for whoever comes next.

        Without any session the broker would have nobody to give a report to, and the devices would have to repeat it.
        """
        if self._held is None:
            return
        lease, reports = self._held
        if await insist(lambda: leases.has_others(self._database, self._holder)):
            await reports.leave()
            done = lease.delete
        else:
            await reports.rest()
            done = lease.release
        belonging.cancel()  # first, so that it does not miss the lease and take another one
        await asyncio.wait([belonging])
        await insist(done)

    async def _take_over_abandoned(self) -> None:
        """The broker deals to absent sessions, too: takes what lies in those that nobody claims, and ends them."""
        every = self._seconds / LOOKS
        abandoned = partial(leases.claim_abandoned, self._database, self._holder, self._seconds, every)
        while True:
            await asyncio.sleep(every)
            lease = await insist(abandoned)
            if lease is not None:
                try:
                    await self._take_over(lease)
                except* LeaseLost as lost:
                    log.warning("take_over_failed", reason=str(lost.exceptions[0]))

    async def _take_over(self, lease: Lease) -> None:
        log.info("taking_over", ordinal=lease.ordinal)
        reports = Reports(lease, self._ingest, self._settings, new_ones=False)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reports.run()), group.create_task(self._keep(lease))]
            await reports.leave()
            for task in tasks:
                task.cancel()
        await insist(lease.delete)
        log.info("taken_over", ordinal=lease.ordinal)
