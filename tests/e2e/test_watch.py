"""The watch over the rows: what is wrong in a real database is seen."""

import time

import asyncpg

from tests.chaos.history import Asked
from tests.e2e import arrange, guarantees
from tests.e2e.arrange import Site
from tests.e2e.watch import Watch


async def test_a_wrong_counter_and_a_changed_row_are_found(site: Site) -> None:
    async with site.fleet(2), asyncpg.create_pool(site.stack["POSTGRES_DSN"], min_size=1, max_size=2) as database:
        campaign = await site.started(rate=1200)
        await campaign.until_ended()
        await guarantees.hold(site)
        watch = Watch(database, site.tenant)
        await watch.look()
        assert not watch.broken()
        await database.execute("UPDATE ota_campaign_counters SET n = n + 1 WHERE tenant_id = $1", site.tenant)
        await watch.look()
        assert watch.broken()
        assert all("counts" in sentence for sentence in watch.broken())
        await database.execute("UPDATE ota_campaign_counters SET n = n - 1 WHERE tenant_id = $1", site.tenant)
        await database.execute("UPDATE ota_device_status SET progress_pct = 99 WHERE tenant_id = $1", site.tenant)
        await watch.look()
        assert len([sentence for sentence in watch.broken() if "had finished, and changed" in sentence]) == 2


async def test_a_retry_excuses_the_change_of_failed_rows_once_and_of_no_others(site: Site) -> None:
    change = "UPDATE ota_device_status SET attempt = attempt + 1 WHERE tenant_id = $1 AND status = $2"
    async with (
        site.fleet(2),
        site.fleet(1, arrange.broken()),
        asyncpg.create_pool(site.stack["POSTGRES_DSN"], min_size=1, max_size=2) as database,
    ):
        campaign = await site.started(rate=1200, max_attempts=1)
        await campaign.until_ended()
        await guarantees.hold(site)
        watch = Watch(database, site.tenant)
        await watch.look()
        now = time.time()
        retry = Asked(at=now, tenant=site.tenant, campaign=campaign.id, change="retry", answered=now, status=202)
        await database.execute(change, site.tenant, "FAILED")
        await watch.look()
        assert not watch.broken([retry])
        await database.execute(change, site.tenant, "FAILED")
        await watch.look()
        assert len(watch.broken([retry])) == 1
        await database.execute(change, site.tenant, "SUCCESS")
        await watch.look()
        assert len(watch.broken([retry])) == 3
