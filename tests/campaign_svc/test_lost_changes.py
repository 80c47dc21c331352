"""A database that has lost control changes: dispatchers hear of its rows again, and nothing is sent unasked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer

from campaign_svc.announce import Announcer
from campaign_svc.engine.agreement import Agreement
from campaign_svc.engine.control_topic import ControlTopic
from campaign_svc.engine.lost_changes import Row, has_lost, make_up, status_after
from dispatcher_svc.knowledge import Knowledge, Stand
from pulse.contracts.kafka import CONTROL, CampaignControl, ControlStatus, DispatchRequest, Outcome
from pulse.contracts.status import CampaignStatus as S
from pulse.contracts.times import now
from pulse.runtime.db import Pool
from pulse.runtime.kafka import send
from pulse.runtime.kafka_cluster import Cluster
from tests.campaign_svc.rows import TENANT, Fleet
from tests.campaign_svc.wire import control_of

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def control(campaign_id: int, epoch: int, status: ControlStatus, at: datetime | None = None) -> CampaignControl:
    return CampaignControl(
        tenant_id=TENANT, campaign_id=campaign_id, epoch=epoch, status=status, at=now() if at is None else at
    )


async def announced(sender: AIOKafkaProducer, *records: CampaignControl) -> None:
    """What dispatchers were told before the database lost it."""
    for record in records:
        await (await send(sender, CONTROL, record, record.key, 0))


@asynccontextmanager
async def agreeing(loops: Pool, kafka: str, sender: AIOKafkaProducer) -> AsyncIterator[ControlTopic]:
    """A replica of campaign-svc keeps topic and rows in agreement as long as this is open."""
    stop = asyncio.Event()
    topic = ControlTopic(Cluster(kafka))
    async with asyncio.TaskGroup() as group:
        group.create_task(topic.follow(stop))
        group.create_task(Agreement(loops, topic, Announcer(loops, sender, 2.0), 0.05).keep(stop))
        try:
            yield topic
        finally:
            stop.set()


async def until_said(topic: ControlTopic, campaign_id: int, epoch: int, status: S) -> None:
    async with asyncio.timeout(30):
        while topic.says(campaign_id) != (epoch, status):
            await asyncio.sleep(0.02)


def a_request(campaign_id: int, epoch: int) -> DispatchRequest:
    return DispatchRequest(
        tenant_id=TENANT,
        campaign_id=campaign_id,
        device_id="d0",
        attempt=1,
        epoch=epoch,
        bucket=f"{campaign_id}:0",
        bucket_rate=10,
        bucket_burst=2,
        not_after=now(),
        expires_at=now(),
        command="{}",
    )


async def what_dispatchers_do(kafka: str, campaign_id: int, epoch: int) -> Stand | Outcome:
    """With a request of that epoch, after they have read all of the topic."""
    knowledge = Knowledge(max_age=0.2)
    for number, status in await control_of(kafka, campaign_id):
        knowledge.learn(control(campaign_id, number, cast("ControlStatus", status)))
    return knowledge.stand(a_request(campaign_id, epoch), expired=False)


@pytest.mark.parametrize(
    ("row", "heard", "then"),
    [
        (S.RUNNING, "RUNNING", S.PAUSED),
        (S.RUNNING, "PAUSED", S.PAUSED),
        (S.RUNNING, "COMPLETED", S.PAUSED),
        (S.RUNNING, "ABORTED", S.ABORTED),
        (S.PAUSED, "RUNNING", S.PAUSED),
        (S.PAUSED, "ABORTED", S.ABORTED),
        (S.COMPLETED, "RUNNING", S.COMPLETED),
        (S.COMPLETED, "ABORTED", S.ABORTED),
    ],
)
def test_nothing_goes_on_by_itself_and_an_abort_stays_one(row: S, heard: ControlStatus, then: S) -> None:
    assert status_after(Row(row, 4, MADE), control(7, 9, heard, MADE + timedelta(hours=1))) is then


@pytest.mark.parametrize("heard", ["RUNNING", "PAUSED", "COMPLETED", "ABORTED"])
def test_what_was_said_of_a_lost_campaign_with_the_same_number_is_not_said_of_this_one(heard: ControlStatus) -> None:
    before, at_once = MADE - timedelta(seconds=2), MADE - timedelta(seconds=0.5)
    assert status_after(Row(S.RUNNING, 1, MADE), control(7, 9, heard, before)) is S.RUNNING
    assert status_after(Row(S.RUNNING, 1, MADE), control(7, 9, heard, at_once)) is not S.RUNNING, "clocks differ"


def test_only_a_row_behind_what_was_heard_has_lost_something() -> None:
    heard = control(7, 5, "PAUSED", MADE)
    assert has_lost(S.RUNNING, 4, heard)
    assert has_lost(S.RUNNING, 5, heard), "another change has got the same number"
    assert not has_lost(S.PAUSED, 5, heard)
    assert not has_lost(S.RUNNING, 6, heard)


async def test_a_restored_campaign_is_paused_above_what_was_announced(
    fleet: Fleet, loops: Pool, sender: AIOKafkaProducer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=4)
    await announced(sender, *(control(campaign, epoch, "RUNNING") for epoch in range(4, 10)))
    assert await what_dispatchers_do(kafka, campaign, 4) is Outcome.RETURNED, "of the row's epoch nothing is sent"
    async with agreeing(loops, kafka, sender) as topic:
        await until_said(topic, campaign, 10, S.PAUSED)
    row = await fleet.get(campaign)
    assert (row["epoch"], row["status"], row["status_reason_code"]) == (10, "PAUSED", "restored")
    assert "it said RUNNING (epoch 4), but RUNNING (epoch 9) had been announced" in row["status_reason_detail"]
    assert await fleet.events(campaign) == ["restored"]


async def test_dispatchers_send_again_once_somebody_has_resumed_it(
    fleet: Fleet, loops: Pool, sender: AIOKafkaProducer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=2)
    await announced(sender, control(campaign, 7, "PAUSED"))
    async with agreeing(loops, kafka, sender) as topic:
        await until_said(topic, campaign, 8, S.PAUSED)
        await fleet.set(campaign, epoch=9, status="RUNNING")
        await until_said(topic, campaign, 9, S.RUNNING)
    assert await what_dispatchers_do(kafka, campaign, 9) is Stand.GO


async def test_an_abort_that_the_database_has_lost_is_not_undone(
    fleet: Fleet, loops: Pool, sender: AIOKafkaProducer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=4)
    await announced(sender, control(campaign, 5, "ABORTED"))
    async with agreeing(loops, kafka, sender) as topic:
        await until_said(topic, campaign, 6, S.ABORTED)
    assert (await fleet.get(campaign))["status"] == "ABORTED"
    assert await what_dispatchers_do(kafka, campaign, 6) is Outcome.CANCELLED


async def test_a_change_that_got_the_number_of_a_lost_one_is_found(
    fleet: Fleet, loops: Pool, sender: AIOKafkaProducer, kafka: str
) -> None:
    """Restored at epoch 4, then a change of rate before anybody noticed: the last record is what the row says."""
    campaign = await fleet.campaign(epoch=5)
    await announced(sender, control(campaign, 5, "ABORTED"), control(campaign, 5, "RUNNING"))
    assert await what_dispatchers_do(kafka, campaign, 5) is Outcome.CANCELLED
    async with agreeing(loops, kafka, sender) as topic:
        await until_said(topic, campaign, 6, S.ABORTED)
    assert await control_of(kafka, campaign) == [(5, "ABORTED"), (5, "RUNNING"), (6, "ABORTED")]


async def test_the_highest_epoch_counts_where_an_older_record_came_last(
    fleet: Fleet, loops: Pool, sender: AIOKafkaProducer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=4)
    await announced(sender, control(campaign, 6, "RUNNING"), control(campaign, 5, "PAUSED"))
    async with agreeing(loops, kafka, sender) as topic:
        await until_said(topic, campaign, 7, S.PAUSED)


async def test_two_replicas_that_notice_it_make_up_for_it_once(
    fleet: Fleet, loops: Pool, sender: AIOKafkaProducer, kafka: str
) -> None:
    campaign = await fleet.campaign(epoch=4)
    await announced(sender, control(campaign, 9, "RUNNING"))
    async with agreeing(loops, kafka, sender) as one, agreeing(loops, kafka, sender) as other:
        await until_said(one, campaign, 10, S.PAUSED)
        await until_said(other, campaign, 10, S.PAUSED)
    assert (await fleet.get(campaign))["epoch"] == 10
    assert await fleet.events(campaign) == ["restored"]


async def test_a_row_that_has_moved_on_by_the_time_it_is_locked_is_left_alone(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign(epoch=9)
    assert not await make_up(loops, campaign, control(campaign, 9, "RUNNING"))
    assert not await make_up(loops, campaign, control(campaign, 8, "PAUSED"))
    assert await fleet.events(campaign) == []


async def test_a_campaign_restored_to_before_its_start_is_left_to_who_starts_it(fleet: Fleet, loops: Pool) -> None:
    campaign = await fleet.campaign(epoch=0, status="CREATED")
    assert not await make_up(loops, campaign, control(campaign, 3, "RUNNING"))
