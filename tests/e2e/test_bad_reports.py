"""Reports that are broken, repeated, late or out of order: nothing stops, nothing is lost, nothing changes wrongly."""

import asyncio
import json
from collections import Counter

from fleetsim.agent import Agent
from pulse.contracts.kafka import QUARANTINE, Quarantined
from pulse.contracts.mqtt import report_topic
from tests.e2e import guarantees
from tests.e2e.arrange import NEW, Site
from tests.e2e.campaign import Campaign
from tests.e2e.stack import Stack
from tests.e2e.topics import content

NO_CAMPAIGN = 9_000_000
READ = ("pulse_ingest_reports_total", "status")
IGNORED = ("pulse_ingest_ignored_total", "reason")


class Growth:
    """How much a counter of ingest has grown since `of`."""

    def __init__(self, stack: Stack, series: tuple[str, str], before: Counter[str]) -> None:
        self._stack = stack
        self._series = series
        self._before = before

    @classmethod
    async def of(cls, stack: Stack, series: tuple[str, str]) -> "Growth":
        return cls(stack, series, await stack.counted("status-ingest-svc", *series))

    async def now(self) -> Counter[str]:
        return await self._stack.counted("status-ingest-svc", *self._series) - self._before

    async def until(self, value: str, number: int) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(10):
            while (await self.now())[value] < number:
                await asyncio.sleep(0.05)


async def say(agent: Agent, campaign: Campaign, status: str, **fields: object) -> None:
    """A report by hand; fails unless the broker has somebody who takes it."""
    await say_raw(agent, json.dumps({"campaign_id": campaign.id, "status": status, **fields}).encode())


async def say_raw(agent: Agent, payload: bytes) -> None:
    assert await agent.say(payload) == 0


async def quarantined(site: Site, agent: Agent) -> Counter[str]:
    """What this device sent in vain, by reason."""
    source = f"mqtt:{report_topic(site.tenant, agent.account.device_id)}"
    records = await content(site.stack["KAFKA_BOOTSTRAP"], QUARANTINE, Quarantined)
    return Counter(record.reason for record in records if record.source == source)


async def until_row(campaign: Campaign, agent: Agent, **fields: object) -> None:
    """Returns when the device's row has all these values."""
    name = agent.account.device_id
    await campaign.until_devices(lambda rows: fields.items() <= rows[name].items())


async def test_what_nobody_can_read_is_put_aside_with_its_reason_and_ingestion_goes_on(site: Site) -> None:
    unreadable = (b"not JSON", b"\xff\xfe", b"[1]", b"{}", b'{"campaign_id":"seven","status":"SUCCESS"}')
    async with site.fleet(20), site.fleet(1, manual=True) as hand:
        [agent] = hand
        campaign = await site.started(rate=1200)
        await until_row(campaign, agent, status="DISPATCHED")
        read = await Growth.of(site.stack, READ)
        for payload in (*unreadable, b'"' + b"x" * 9 * 1024 + b'"'):
            await say_raw(agent, payload)
        await say_raw(agent, f'{{"campaign_id":{NO_CAMPAIGN},"status":"SUCCESS","attempt":1}}'.encode())
        await say(agent, campaign, "HALFWAY", attempt=1)
        await say(agent, campaign, "SUCCESS", attempt=7, version=NEW)
        await say(agent, campaign, "SUCCESS", attempt=1, version=NEW)
        end = await campaign.until_ended()
        counted = await read.now()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 21)
    unknown = {"unknown_campaign": 1, "unknown_status": 1, "wrong_attempt": 1}
    assert await quarantined(site, agent) == {"unreadable": 5, "too_large": 1, **unknown}
    assert (counted["unreadable"], counted["too_large"], counted["unknown_status"]) == (5, 1, 1)
    await guarantees.hold(site)


async def test_the_word_of_a_device_that_is_not_in_the_campaign_changes_nothing(site: Site) -> None:
    async with site.fleet(1, manual=True) as members:
        [member] = members
        campaign = await site.started(rate=1200)
        async with site.fleet(1, manual=True) as strangers:
            [stranger] = strangers
            await say(stranger, campaign, "SUCCESS", attempt=1, version=NEW)
            await until_row(campaign, member, status="DISPATCHED")
            await say(member, campaign, "SUCCESS", attempt=1, version=NEW)
            end = await campaign.until_ended()
        assert await quarantined(site, stranger) == {"unknown_device": 1}
    assert (end["total_devices"], end["succeeded"]) == (1, 1)
    await guarantees.hold(site)


async def test_repeated_late_and_out_of_order_reports_never_move_a_device_backwards(site: Site) -> None:
    async with site.fleet(1, manual=True) as hand:
        [agent] = hand
        campaign = await site.started(rate=1200)
        await until_row(campaign, agent, status="DISPATCHED")
        ignored = await Growth.of(site.stack, IGNORED)
        await say(agent, campaign, "INSTALLING", attempt=1, progress=90)
        await until_row(campaign, agent, status="INSTALLING", progress_pct=90)
        await say(agent, campaign, "DOWNLOADING", attempt=1, progress=40)
        await ignored.until("out_of_order", 1)
        await say(agent, campaign, "INSTALLING", attempt=1, progress=10)
        await say(agent, campaign, "INSTALLING", attempt=1, progress=95)
        await until_row(campaign, agent, status="INSTALLING", progress_pct=95)
        await say(agent, campaign, "SUCCESS", attempt=1, version=NEW)
        await campaign.until_ended()
        before = await campaign.devices()
        await say(agent, campaign, "SUCCESS", attempt=1, version=NEW)
        await ignored.until("finished", 1)
        await say(agent, campaign, "FAILED", attempt=1, error="late")
        await ignored.until("finished", 2)
        await say(agent, campaign, "DOWNLOADING", progress=1)
        await ignored.until("finished", 3)
        assert await campaign.devices() == before
    assert not await quarantined(site, agent)
    await site.watch.look()
    assert not site.watch.broken()


async def test_an_older_attempt_says_nothing_about_the_newer_one(site: Site) -> None:
    async with site.fleet(1, manual=True) as hand:
        [agent] = hand
        campaign = await site.started(rate=1200)
        await until_row(campaign, agent, status="DISPATCHED")
        await say(agent, campaign, "FAILED", attempt=1, error_code="no_space", error="disk full")
        await until_row(campaign, agent, status="DISPATCHED", attempt=2, failures=1, error_code="no_space")
        ignored = await Growth.of(site.stack, IGNORED)
        await say(agent, campaign, "SUCCESS", attempt=1, version=NEW)
        await ignored.until("older_attempt", 1)
        await say(agent, campaign, "FAILED", attempt=1)
        await ignored.until("older_attempt", 2)
        await until_row(campaign, agent, status="DISPATCHED", attempt=2, failures=1)
        await say(agent, campaign, "SUCCESS", attempt=2, version=NEW)
        end = await campaign.until_ended()
    assert (end["succeeded"], end["failed"]) == (1, 0)
    assert not await quarantined(site, agent)


async def test_the_success_of_another_version_is_a_failure(site: Site) -> None:
    async with site.fleet(1, manual=True) as hand:
        [agent] = hand
        campaign = await site.started(rate=1200, max_attempts=1)
        await until_row(campaign, agent, status="DISPATCHED")
        await say(agent, campaign, "SUCCESS", attempt=1, version="1.9.9")
        await campaign.until_ended()
        await until_row(campaign, agent, status="FAILED", error_code="version_mismatch")
    await guarantees.hold(site)
