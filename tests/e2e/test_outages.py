"""The database, Kafka or the devices' broker goes away in the middle of a campaign, and comes back."""

import asyncio
import signal
import time

import pytest

from tests.e2e import guarantees
from tests.e2e.arrange import NEW, Site
from tests.e2e.histories import commands, reports

DEVICES = 60
FRESH_SECONDS = 0.5
"""So long after Kafka's death dispatchers may know enough to send, and a command may be on its way."""


@pytest.mark.parametrize(
    ("part", "kill_first"),
    [("postgres", False), ("postgres", True), ("kafka", False)],
    ids=["postgres, stopped", "postgres, killed", "kafka, stopped"],
)
async def test_a_campaign_goes_on_after_the_outage_of(site: Site, part: str, *, kill_first: bool) -> None:
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(10)
        if kill_first:
            await site.stack.kill(part)
            await asyncio.sleep(1)
        await site.stack.restart(part)
        end = await campaign.until_ended(60)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    assert {agent.memory.version for agent in fleet} == {NEW}
    await guarantees.hold(site)


async def test_nothing_is_sent_while_kafka_is_away_and_a_pause_of_then_is_announced_later(site: Site) -> None:
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(10)
        await site.stack.kill("kafka")
        killed = time.time()
        await campaign.unannounced("pause")
        await asyncio.sleep(1)
        await site.stack.restart("kafka")
        await campaign.until(lambda c: c["status_breakdown"]["QUEUED"] == 0, 40)
        assert not [event for event in commands(fleet) if event.at > killed + FRESH_SECONDS]
        await guarantees.hold(site)
        await campaign.start()
        end = await campaign.until_ended(40)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    await guarantees.hold(site)


async def test_reports_that_only_a_killed_broker_had_are_sent_again(site: Site) -> None:
    ingests = site.stack.processes("status-ingest-svc")
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=1200)
        await campaign.until_done(10)
        site.stack.signal(signal.SIGSTOP, *ingests)
        try:
            await asyncio.sleep(3)
            done = sum(agent.memory.version == NEW for agent in fleet)
            known = (await campaign.get())["succeeded"]
            assert done - known > 10, "too few reports wait in the broker"
            assert all(went.taken for agent in fleet for went in reports(agent))
            await site.stack.kill("mosquitto")
        finally:
            site.stack.signal(signal.SIGCONT, *ingests)
        await site.stack.restart("mosquitto")
        end = await campaign.until_ended(60)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    await guarantees.hold(site)


async def test_reports_that_wait_for_ingest_are_taken_in_when_it_is_back(site: Site) -> None:
    ingests = site.stack.processes("status-ingest-svc")
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=6000, attempt_timeout_seconds=10)
        await campaign.until(lambda c: c["dispatched_devices"] == DEVICES)
        site.stack.signal(signal.SIGSTOP, *ingests)
        try:
            await asyncio.sleep(12)
            assert {agent.memory.version for agent in fleet} == {NEW}
            waiting = await campaign.get()
            assert waiting["status_breakdown"]["PENDING"] == 0, "healthy devices were failed while nobody listened"
        finally:
            site.stack.signal(signal.SIGCONT, *ingests)
        end = await campaign.until_ended()
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    assert {(row["attempt"], row["failures"]) for row in rows.values()} == {(1, 0)}
    await guarantees.hold(site)
