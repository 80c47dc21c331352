"""Both processes of campaign-svc are killed at the moments that are worst for it; it all comes right by itself."""

import asyncio
import random
import time
from datetime import UTC, datetime

from pulse.contracts.kafka import CONTROL, REQUESTS, CampaignControl, DispatchRequest
from tests.e2e import guarantees
from tests.e2e.arrange import NEW, Site
from tests.e2e.campaign import Asked, Campaign
from tests.e2e.histories import commands
from tests.e2e.stack import Stack
from tests.e2e.topics import content

DEVICES = 60
WAITING_DEVICES = 3_000
TIMES_KILLED = 3
TOLD_SECONDS = 30
"""So long a pause may take to reach the dispatchers, from Kafka's return on: services start, and compare."""


async def test_killed_between_the_commit_of_a_pause_and_its_announcement_dispatchers_hear_of_it(site: Site) -> None:
    victims = site.stack.processes("campaign-svc")
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=300)
        await campaign.until_done(10)
        await site.stack.kill("kafka")
        await campaign.unannounced("pause")
        await site.stack.kill(*victims)
        await site.stack.restart("kafka")
        assert [r.status for r in await told(site.stack, campaign)] == ["RUNNING"], "it was announced before the kill"
        campaign.asked.append(Asked("pause", await heard(site.stack, campaign, "PAUSED")))
        await site.stack.until_back(*victims)
        await campaign.until(lambda c: c["status_breakdown"]["QUEUED"] == 0, 30)
        assert len(commands(fleet)) < DEVICES, "nothing was left for the pause to hold"
        await guarantees.hold(site)
        await campaign.start()
        end = await campaign.until_ended(40)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    assert await campaign.timeline() == ["created", "started", "paused", "resumed", "completed"]
    await guarantees.hold(site)


async def told(stack: Stack, campaign: Campaign) -> list[CampaignControl]:
    """What dispatchers can know of a campaign, oldest first."""
    records = await content(stack["KAFKA_BOOTSTRAP"], CONTROL, CampaignControl)
    return [record for record in records if record.campaign_id == campaign.id]


async def heard(stack: Stack, campaign: Campaign, status: str) -> float:
    """A moment, in seconds since 1970, by which that is the last word on the campaign in the control topic."""
    async with asyncio.timeout(TOLD_SECONDS):
        while (await told(stack, campaign))[-1].status != status:
            await asyncio.sleep(0.2)
    return time.time()


async def test_killed_between_claim_and_send_the_devices_are_claimed_again_and_updated_once(site: Site) -> None:
    victims = site.stack.processes("campaign-svc")
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.campaign(await site.firmware(), rate=300)
        await site.stack.kill("kafka")
        await campaign.unannounced("start")
        await campaign.until(lambda c: c["status_breakdown"]["QUEUED"] >= 20)
        await site.stack.kill(*victims)
        unsent = {(row["device_id"], row["attempt"]) for row in await site.watch.rows() if row["status"] == "QUEUED"}
        await site.stack.restart("kafka")
        assert len(unsent) >= 20
        assert not await requested(site.stack, campaign), "the kill came too late"
        end = await campaign.until_ended(50)
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    assert {agent.memory.version for agent in fleet} == {NEW}
    assert {rows[name]["attempt"] - attempt for name, attempt in unsent} == {1}, "claimed again, once"
    assert not [row for row in rows.values() if row["failures"]], "a device was blamed for it"
    assert len(commands(fleet)) == DEVICES, "a device was commanded twice"
    await guarantees.hold(site)


async def requested(stack: Stack, campaign: Campaign) -> set[tuple[str, int]]:
    """Devices and attempts that Kafka has a dispatch request of."""
    requests = await content(stack["KAFKA_BOOTSTRAP"], REQUESTS, DispatchRequest)
    return {(r.device_id, r.attempt) for r in requests if r.campaign_id == campaign.id}


async def test_killed_in_the_middle_of_an_abort_every_device_that_waits_is_ended(site: Site) -> None:
    victims = site.stack.processes("campaign-svc")
    async with site.fleet(10):
        await site.registered(WAITING_DEVICES)
        campaign = await site.started(rate=60)
        await campaign.abort()
        while (await campaign.get())["status_breakdown"]["SKIPPED"] == 0:
            await asyncio.sleep(0)
        await site.stack.kill(*victims)
        left = [row["status"] for row in await site.watch.rows()]
        assert left.count("SKIPPED") > 0 < left.count("PENDING"), "that was not the middle"
        end = await campaign.until_ended(40)
        ended = [row["status"] for row in await site.watch.rows()]
    assert (end["status"], end["total_devices"]) == ("ABORTED", WAITING_DEVICES + 10)
    assert end["status_breakdown"] == {state: ended.count(state) for state in end["status_breakdown"]}
    assert ended.count("SKIPPED") > left.count("SKIPPED")
    await guarantees.hold(site)
    await site.stack.until_back(*victims)


async def test_killed_again_and_again_while_a_gate_opens_it_opens_once(site: Site) -> None:
    victims = site.stack.processes("campaign-svc")
    canary = {"name": "canary", "count": 10, "soak_seconds": 2, "min_success": 1.0, "rollout_rate": 600}
    async with site.fleet(30) as fleet:
        campaign = await site.started(rate=1200, rollout_strategy="canary", stages=[canary])
        soaking = await campaign.until(lambda c: c["stages"][0]["status"] == "SOAKING")
        await asyncio.sleep(max(0.0, seconds_until(soaking["stages"][0]["soak_until"]) - random.uniform(0.1, 0.5)))
        at_kills = []
        for _ in range(TIMES_KILLED):
            await site.stack.kill(*victims)
            at_kills += [seen["current_stage"] for seen in await site.watch.campaigns()]
            await site.stack.until_back(*victims)
            await asyncio.sleep(random.uniform(0, 0.4))
        assert at_kills[0] == 0, "the gate was open before the first kill"
        end = await campaign.until_ended(40)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 30)
    assert {agent.memory.version for agent in fleet} == {NEW}
    assert await campaign.timeline() == ["created", "started", "gate_passed", "stage_started", "completed"]
    assert len(commands(fleet)) == 30
    await guarantees.hold(site)


def seconds_until(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()
