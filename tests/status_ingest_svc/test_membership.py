"""Replicas share the reports, survive each other, and say up to when they have taken everything in."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import aiomqtt
import pytest

from pulse.contracts.kafka import RESULTS, Outcome
from pulse.contracts.mqtt import shared_reports, user_name
from pulse.contracts.status import Row, Status
from tests.status_ingest_svc.service import SECRET_GROUP, Devices, Replica, Service, eventually, frozen, send_results
from tests.status_ingest_svc.world import World, names, result

THE_PAST = datetime(2000, 1, 1, tzinfo=UTC)
DISPATCHED = Row(Status.DISPATCHED, 1, 0)
HALF = RESULTS.partitions // 2


async def test_two_replicas_share_the_reports(service: Service, seen: World, fleet: Devices) -> None:
    reporters = names(200)
    campaign = await seen.campaign(reporters, DISPATCHED)
    replicas = [await service.start(), await service.start()]
    await _report(fleet, campaign, reporters)
    await _ends(seen, campaign, {"SUCCESS": 200})
    shares = [await replica.metric("pulse_ingest_reports_total") for replica in replicas]
    assert shares == [100, 100]
    assert [member["ordinal"] for member in await seen.members()] == [0, 1]
    await seen.assert_counters_equal_rows(campaign)


async def test_a_device_that_knows_only_the_usual_name_is_dealt_nothing_and_ends_no_session(
    service: Service, seen: World, fleet: Devices
) -> None:
    reporters = names(60)
    campaign = await seen.campaign(reporters, DISPATCHED)
    replica = await service.start(MQTT_GROUP=SECRET_GROUP)
    user = user_name("thieves", "t1")
    service.broker.add_accounts({user: "its-password"})
    async with AsyncExitStack() as thieves:
        for ordinal in range(3):
            thief = aiomqtt.Client(
                service.broker.host,
                service.broker.port,
                identifier=f"pulse-ingest-{ordinal}",
                username=user,
                password="its-password",
                protocol=aiomqtt.ProtocolVersion.V5,
            )
            await (await thieves.enter_async_context(thief)).subscribe(shared_reports("pulse-ingest"), qos=1)
        await _report(fleet, campaign, reporters)
        await _ends(seen, campaign, {"SUCCESS": 60})
    assert len(replica.said("mqtt_connected")) == 1


async def test_the_survivor_takes_what_waits_for_a_dead_replica(service: Service, seen: World, fleet: Devices) -> None:
    reporters = names(200)
    campaign = await seen.campaign(reporters, DISPATCHED)
    await service.start()
    victim = await service.start()
    await victim.child.kill()
    await _report(fleet, campaign, reporters)
    await _ends(seen, campaign, {"SUCCESS": 200})
    await eventually(lambda: _members(seen, [0]))

    more = names(50)
    other = await seen.campaign(more, DISPATCHED)
    await _report(fleet, other, more)
    await _ends(seen, other, {"SUCCESS": 50}, 3)


async def test_what_waits_for_a_dead_replica_is_taken_soon_after_its_lease_has_run_out(
    service: Service, seen: World
) -> None:
    await service.start(INGEST_LEASE_SECONDS="9")
    victim = await service.start(INGEST_LEASE_SECONDS="9")
    await eventually(lambda: _members(seen, [0, 1]))
    await victim.child.kill()
    [expires_at] = [member["expires_at"] for member in await seen.members() if member["ordinal"] == 1]
    await eventually(lambda: _members(seen, [0]), 20)
    assert (datetime.now(UTC) - expires_at).total_seconds() < 3, "a third of the lease"


async def test_a_restarted_replica_takes_up_its_dead_ones_session(
    service: Service, seen: World, fleet: Devices
) -> None:
    reporters = names(20)
    campaign = await seen.campaign(reporters, DISPATCHED)
    victim = await service.start()
    await victim.child.kill()
    await _report(fleet, campaign, reporters)
    assert await seen.statuses(campaign) == {"DISPATCHED": 20}
    async with service.running():
        await _ends(seen, campaign, {"SUCCESS": 20})


async def test_replicas_never_take_a_session_from_each_other(service: Service, seen: World) -> None:
    first, second = await service.start(), await service.start()
    with frozen(second.pid):
        await eventually(lambda: _members(seen, [0]), 15)
    await eventually(lambda: _members(seen, [0, 1]))
    await asyncio.sleep(3)
    assert len(first.said("mqtt_connected")) == 2, "its own session, and the one that it took over"
    assert len(second.said("mqtt_connected")) == 2, "before it was frozen, and after"
    assert len(second.said("lease_lost")) == 1
    assert await _members(seen, [0, 1])
    assert len({member["holder"] for member in await seen.members()}) == 2


async def test_a_replica_that_leaves_hands_its_share_to_the_others(
    service: Service, seen: World, fleet: Devices
) -> None:
    reporters = names(100)
    campaign = await seen.campaign(reporters, DISPATCHED)
    await service.start()
    leaving = await service.start()
    await leaving.stop()
    assert await _members(seen, [0])
    await _report(fleet, campaign, reporters)
    await _ends(seen, campaign, {"SUCCESS": 100}, 3)


async def test_the_last_to_leave_keeps_its_session_so_that_reports_wait_for_the_next(
    service: Service, seen: World, fleet: Devices
) -> None:
    reporters = names(20)
    campaign = await seen.campaign(reporters, DISPATCHED)
    replica = await service.start()
    await replica.stop()
    await _report(fleet, campaign, reporters)
    [member] = await seen.members()
    assert member["expires_at"] <= await _now(seen), "the next need not wait for the lease to run out"
    async with service.running() as successor:
        await _ends(seen, campaign, {"SUCCESS": 20})
        assert await successor.metric("pulse_ingest_lease_ordinal") == 0


async def test_a_replica_that_leaves_in_mid_stream_loses_nothing(service: Service, seen: World, fleet: Devices) -> None:
    reporters = names(600)
    campaign = await seen.campaign(reporters, DISPATCHED)
    await service.start(INGEST_BATCH="10")
    leaving = await service.start(INGEST_BATCH="10")
    async with asyncio.TaskGroup() as group:
        group.create_task(_report(fleet, campaign, reporters))
        await eventually(lambda: _has_begun(leaving))
        group.create_task(leaving.stop())
    await _ends(seen, campaign, {"SUCCESS": 600})
    assert await _members(seen, [0])
    await seen.assert_counters_equal_rows(campaign)


async def test_it_is_caught_up_only_when_reports_that_wait_are_committed(
    service: Service, seen: World, fleet: Devices
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], DISPATCHED)
    async with service.running():
        await eventually(lambda: _caught_up_after(seen, THE_PAST))
        async with seen.held(campaign, device):
            await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1)
            reported = await _now(seen)
            await eventually(seen.somebody_waits)
            await asyncio.sleep(1)
            assert await _caught_up(seen) < reported
        await eventually(lambda: _caught_up_after(seen, reported))
        assert await seen.statuses(campaign) == {"SUCCESS": 1}


async def test_no_replica_is_caught_up_while_any_result_waits(service: Service, seen: World, kafka: str) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device])
    for _ in range(2):
        await service.start()
    await eventually(lambda: _caught_up_after(seen, THE_PAST))
    async with seen.held(campaign, device):
        await send_results(kafka, result(campaign, device, Outcome.PUBLISHED))
        sent = await _now(seen)
        await eventually(seen.somebody_waits)
        await asyncio.sleep(1)
        members = await seen.members()
        assert len(members) == 2
        assert all(member["caught_up_at"] < sent for member in members)
    await eventually(lambda: _caught_up_after(seen, sent))
    assert await seen.statuses(campaign) == {"DISPATCHED": 1}


async def test_one_that_is_killed_and_started_again_does_not_hold_up_the_results_of_others(
    service: Service, seen: World, fleet: Devices, kafka: str
) -> None:
    session = {"KAFKA_SESSION_TIMEOUT_MS": "20000"}
    survivor, victim = [await service.start(**session) for _ in range(2)]
    await eventually(lambda: _has_results_of(survivor, HALF))
    await victim.child.kill()
    again = await service.launch_in_place_of(victim, **session)
    await eventually(lambda: _waits_for_its_predecessor(again))
    held = survivor.said("results_assigned")[-1]["partitions"]
    of_results, of_reports = names(len(held)), names(20)
    campaign, reported = await seen.campaign(of_results), await seen.campaign(of_reports, DISPATCHED)
    for device, partition in zip(of_results, held, strict=True):
        await send_results(kafka, result(campaign, device, Outcome.PUBLISHED), partition=partition)
    await _ends(seen, campaign, {"DISPATCHED": len(held)}, 3)
    await again.child.until_ready()
    await _report(fleet, reported, of_reports)
    await _ends(seen, reported, {"SUCCESS": 20}, 10)
    assert await again.metric("pulse_ingest_reports_total") > 0, "it takes reports while it waits"
    assert not again.said("results_assigned")
    await eventually(lambda: _has_results_of(again, HALF), 30)


@pytest.mark.parametrize("dead", [1, 2])
async def test_an_abandoned_member_holds_back_what_all_have_caught_up_with(
    service: Service, seen: World, dead: int
) -> None:
    await seen.campaign(names(1), DISPATCHED)
    replicas = [await service.start(INGEST_LEASE_SECONDS="6") for _ in range(2)]
    await eventually(lambda: _caught_up_after(seen, THE_PAST))
    for replica in replicas[:dead]:
        await replica.child.kill()
    killed = await _now(seen)
    await asyncio.sleep(2)
    assert await _caught_up(seen) < killed


async def test_while_no_device_is_at_work_it_says_a_fifth_as_often_how_far_it_is(service: Service, seen: World) -> None:
    await seen.sql.execute("UPDATE ota_device_status SET status = 'FAILED' WHERE phase IN ('QUEUED', 'AT_WORK')")
    async with service.running(CAUGHT_UP_SECONDS="0.2"):
        await eventually(lambda: _caught_up_after(seen, THE_PAST))
        idle = await _times_said(seen)
        await seen.campaign(names(1), DISPATCHED)
        await asyncio.sleep(1.5)
        assert await _times_said(seen) > 2 * idle > 0


async def _times_said(seen: World) -> int:
    """In two seconds and a half."""
    said = set()
    for _ in range(50):
        said.add(await _caught_up(seen))
        await asyncio.sleep(0.05)
    return len(said)


async def _report(fleet: Devices, campaign: int, reporters: list[str]) -> None:
    for device in reporters:
        await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1)


async def _ends(seen: World, campaign: int, statuses: dict[str, int], seconds: float = 20) -> None:
    async def has_ended() -> bool:
        return await seen.statuses(campaign) == statuses

    await eventually(has_ended, seconds)


async def _members(seen: World, ordinals: list[int]) -> bool:
    return [member["ordinal"] for member in await seen.members()] == ordinals


async def _has_results_of(replica: Replica, partitions: int) -> bool:
    assigned = replica.said("results_assigned")
    return bool(assigned) and len(assigned[-1]["partitions"]) == partitions


async def _waits_for_its_predecessor(replica: Replica) -> bool:
    return bool(replica.said("waits_for_its_predecessors_end"))


async def _has_begun(replica: Replica) -> bool:
    return await replica.metric("pulse_ingest_reports_total") > 0


async def _now(seen: World) -> datetime:
    at: datetime = await seen.sql.fetchval("SELECT clock_timestamp()")
    return at


async def _caught_up(seen: World) -> datetime:
    """Up to when all members have."""
    at: datetime = await seen.sql.fetchval("SELECT min(caught_up_at) FROM ingest_members")
    return at


async def _caught_up_after(seen: World, moment: datetime) -> bool:
    return await _caught_up(seen) > moment
