"""What a system costs in which no campaign runs: each process's share of one core."""

import asyncio

from tests.bench.figures import Measure, Section
from tests.bench.meter import Meter
from tests.bench.say import Say
from tests.bench.site import Site
from tests.status_ingest_svc.service import end_sessions

SETTLE_SECONDS = 60.0
"""After the start: Kafka's virtual machine still compiles what it runs."""
SECONDS = 30.0
AIM = 0.05


async def measure(site: Site, runs: int, say: Say) -> Section:
    """One of each service, connected to everything, with nothing to do."""
    shares = []
    section = Section("idle", work=f"{SECONDS:.0f} s without a campaign")
    async with site.fresh_database() as database:
        async with (
            site.catalog(database) as catalog,
            site.campaigns(database) as campaigns,
            site.dispatcher() as dispatcher,
            site.ingest(database) as ingest,
        ):
            services = {
                "catalog-svc": catalog.pid,
                "campaign-svc": campaigns.pid,
                "dispatcher-svc": dispatcher.pid,
                "status-ingest-svc": ingest.pid,
            }
            await asyncio.sleep(SETTLE_SECONDS)
            for number in range(runs):
                say(f"idle: run {number + 1} of {runs}, {SECONDS:.0f} s")
                meter = Meter({**services, **site.pids})
                await asyncio.sleep(SECONDS)
                section.usages = meter.read()
                shares.append(sum(usage.cpu_seconds for usage in section.usages) / SECONDS)
                say(f"idle: {100 * shares[-1]:.1f} % of a core")
        await end_sessions(site.broker)
    section.measures = [Measure("all parts together, of one core", "cores", shares, aim=AIM, at_most=True)]
    return section
