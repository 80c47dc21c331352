"""Services that are killed or stopped in the middle of a campaign, and started again."""

import asyncio
import signal
import time

import pytest

from tests.e2e import guarantees
from tests.e2e.arrange import NEW, Site
from tests.e2e.histories import commands

DEVICES = 70


@pytest.mark.parametrize("how_many", [1, 2], ids=["one", "all"])
@pytest.mark.parametrize("service", ["campaign-svc", "dispatcher-svc", "status-ingest-svc"])
async def test_a_campaign_survives_the_death_of(site: Site, service: str, how_many: int) -> None:
    victims = site.stack.processes(service)[:how_many]
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(10)
        await site.stack.kill(*victims)
        end = await campaign.until_ended(50)
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    assert {agent.memory.version for agent in fleet} == {NEW}
    assert not [row for row in rows.values() if row["failures"]], "a device was blamed for it"
    await guarantees.hold(site)
    await site.stack.until_back(*victims)


async def test_a_campaign_needs_no_catalog_and_firmware_can_be_registered_again_after_its_death(site: Site) -> None:
    async with site.fleet(20):
        campaign = await site.started(rate=600)
        await campaign.until_done(3)
        await site.stack.kill("catalog-svc-1")
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 20)
    await site.stack.until_back("catalog-svc-1")
    assert await site.firmware("3.0.0") > 0
    await guarantees.hold(site)


async def test_every_service_killed_at_once_loses_nothing(site: Site) -> None:
    services = ("campaign-svc", "dispatcher-svc", "status-ingest-svc", "catalog-svc")
    victims = [process for service in services for process in site.stack.processes(service)]
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(10)
        await site.stack.kill(*victims)
        end = await campaign.until_ended(60)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    assert {agent.memory.version for agent in fleet} == {NEW}
    await guarantees.hold(site)
    await site.stack.until_back(*victims)


async def test_dispatchers_that_start_again_know_of_a_pause_before_they_send(site: Site) -> None:
    dispatchers = site.stack.processes("dispatcher-svc")
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(10)
        await site.stack.kill(*dispatchers)
        sent = len(commands(fleet))
        await campaign.pause()
        await site.stack.until_back(*dispatchers)
        await asyncio.sleep(2)
        assert len(commands(fleet)) <= sent + 1, "something was sent after the pause"
        await campaign.start()
        end = await campaign.until_ended(40)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    await guarantees.hold(site)


async def test_dispatchers_that_were_stopped_while_a_pause_went_by_send_nothing_when_they_go_on(site: Site) -> None:
    dispatchers = site.stack.processes("dispatcher-svc")
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(10)
        site.stack.signal(signal.SIGSTOP, *dispatchers)
        try:
            await asyncio.sleep(0.3)
            paused = await campaign.pause()
            await asyncio.sleep(1)
        finally:
            site.stack.signal(signal.SIGCONT, *dispatchers)
        await asyncio.sleep(2)
        assert not [event for event in commands(fleet) if paused.answered < event.at < time.time()]
        await campaign.start()
        end = await campaign.until_ended(40)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    await guarantees.hold(site)
