"""Control records: sent in time or not, and repeated until the topic says what the rows say."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from campaign_svc.announce import Announcer
from campaign_svc.engine.agreement import AGAIN_SECONDS, Agreement
from campaign_svc.engine.control_topic import ControlTopic
from campaign_svc.engine.live_store import Announced
from pulse.contracts.kafka import CONTROL, CampaignControl, encode
from pulse.contracts.status import CampaignStatus
from pulse.contracts.times import now
from pulse.runtime import db
from pulse.runtime.db import Pool
from pulse.runtime.kafka import send
from pulse.runtime.kafka_cluster import Cluster
from tests.campaign_svc.rows import TENANT, Fleet
from tests.campaign_svc.wire import control_of
from tests.real_parts import Database, Topics


@pytest.fixture
def announcer(loops: Pool, sender: AIOKafkaProducer) -> Announcer:
    return Announcer(loops, sender, 2.0)


@asynccontextmanager
async def agreeing(loops: Pool, kafka: str, announcer: Announcer) -> AsyncIterator[ControlTopic]:
    """Topic and rows are kept in agreement as long as this is open."""
    stop = asyncio.Event()
    topic = ControlTopic(Cluster(kafka))
    async with asyncio.TaskGroup() as group:
        group.create_task(topic.follow(stop))
        group.create_task(Agreement(loops, topic, announcer, 0.05).keep(stop))
        try:
            await until(lambda: topic.read_to_end)
            yield topic
        finally:
            stop.set()


async def until(holds: Callable[[], bool], seconds: float = 45) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def test_the_row_as_it_is_now_is_announced(fleet: Fleet, announcer: Announcer, kafka: str) -> None:
    campaign = await fleet.campaign(epoch=4, status="PAUSED")
    assert await announcer.announce(TENANT, campaign)
    assert await control_of(kafka, campaign) == [(4, "PAUSED")]


async def test_a_campaign_that_was_never_started_has_nothing_to_announce(
    fleet: Fleet, announcer: Announcer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=0, status="CREATED")
    assert await announcer.announce(TENANT, campaign)
    assert await control_of(kafka, campaign) == []


async def test_the_api_announces_under_its_own_role(
    fleet: Fleet, postgres: Database, sender: AIOKafkaProducer, kafka: str
) -> None:
    campaign = await fleet.campaign()
    async with db.pool(postgres.dsn_of("campaign_svc"), size=1) as pool:
        assert await Announcer(pool, sender, 2.0).announce(TENANT, campaign)
    assert await control_of(kafka, campaign) == [(1, "RUNNING")]


async def test_a_change_that_nobody_announced_is_announced(
    fleet: Fleet, loops: Pool, announcer: Announcer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=6)
    async with agreeing(loops, kafka, announcer) as topic:
        await until(lambda: topic.says(campaign) == (6, CampaignStatus.RUNNING))
    assert await control_of(kafka, campaign) == [(6, "RUNNING")], "once is enough"


async def test_an_older_record_that_came_last_is_put_right(
    fleet: Fleet, loops: Pool, announcer: Announcer, sender: AIOKafkaProducer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=6, status="PAUSED")
    await announcer.announce(TENANT, campaign)
    late = CampaignControl(tenant_id=TENANT, campaign_id=campaign, epoch=5, status="RUNNING", at=now())
    await (await send(sender, CONTROL, late, late.key, 0))
    async with agreeing(loops, kafka, announcer) as topic:
        await until(lambda: topic.says(campaign) == (6, CampaignStatus.PAUSED))
    assert await control_of(kafka, campaign) == [(6, "PAUSED"), (5, "RUNNING"), (6, "PAUSED")]


@pytest.mark.parametrize("unreadable", [None, b"", b"not json", b"{}", b'{"tenant_id": "\xff"}', b"[" * 10_000])
def test_a_record_that_cannot_be_read_is_passed(unreadable: bytes | None) -> None:
    topic = ControlTopic(Cluster("unused"))
    topic._take(encode(CampaignControl(tenant_id=TENANT, campaign_id=7, epoch=2, status="PAUSED", at=now())), 0)
    topic._take(unreadable, 1)
    assert topic.says(7) == (2, CampaignStatus.PAUSED)


async def test_what_kafka_did_not_take_is_announced_when_it_is_back(
    fleet: Fleet, loops: Pool, announcer: Announcer, kafka: str, topics: Topics
) -> None:
    campaign = await fleet.campaign(epoch=1)
    async with agreeing(loops, kafka, announcer) as topic:
        assert await announcer.announce(TENANT, campaign)
        await topics.process.kill()
        try:
            await fleet.set(campaign, epoch=2, status="PAUSED")
            begun = time.monotonic()
            assert not await announcer.announce(TENANT, campaign)
            assert time.monotonic() - begun < 2.5
        finally:
            await topics.process.start()
        await until(lambda: topic.says(campaign) == (2, CampaignStatus.PAUSED), 60)


def row(epoch: int, status: CampaignStatus = CampaignStatus.RUNNING) -> Announced:
    return Announced(7, TENANT, status, epoch)


def test_a_disagreement_is_announced_when_it_has_lasted_and_then_at_intervals(
    loops: Pool, announcer: Announcer
) -> None:
    agreement = Agreement(loops, ControlTopic(Cluster("unused")), announcer, 0.5)
    assert agreement.due([row(1)], 100.0) == [], "whoever made the change announces it first"
    assert agreement.due([row(1)], 100.0 + AGAIN_SECONDS) == [row(1)]
    assert agreement.due([row(1)], 100.1 + AGAIN_SECONDS) == [], "it is on its way"
    assert agreement.due([row(2)], 100.0 + 2 * AGAIN_SECONDS) == [row(2)]


def test_a_disagreement_that_ended_is_forgotten(loops: Pool, announcer: Announcer) -> None:
    agreement = Agreement(loops, ControlTopic(Cluster("unused")), announcer, 0.5)
    agreement.due([row(1)], 100.0)
    agreement.due([], 101.0)
    assert agreement.due([row(2)], 103.0) == []


def test_many_disagreements_are_announced_a_few_at_a_time(loops: Pool, announcer: Announcer) -> None:
    agreement = Agreement(loops, ControlTopic(Cluster("unused")), announcer, 0.5)
    many = [Announced(n, TENANT, CampaignStatus.RUNNING, 1) for n in range(1, 101)]
    agreement.due(many, 100.0)
    first, second = agreement.due(many, 103.0), agreement.due(many, 103.1)
    assert len(first) == len(second) < 100
    assert not {r.campaign_id for r in first} & {r.campaign_id for r in second}
