"""What becomes of reports and results when a part dies between any two steps."""

import asyncio

import httpx

from local_stack.ports import HOST, free_ports
from pulse.contracts.kafka import Outcome
from pulse.contracts.status import Row, Status
from tests.forwarded import forwarded
from tests.real_parts import Broker, Database, Databases, Topics
from tests.status_ingest_svc.service import (
    Devices,
    Replica,
    Service,
    devices,
    eventually,
    frozen,
    quarantined,
    send_results,
    transitions,
)
from tests.status_ingest_svc.world import World, names, result, world

INSTALLING = Row(Status.INSTALLING, 1, 0)


async def test_killed_before_the_commit_the_report_comes_again(service: Service, seen: World, fleet: Devices) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], INSTALLING)
    replica = await service.start()
    async with seen.held(campaign, device):
        await fleet.say(device, campaign_id=campaign, status="FAILED", attempt=1)
        await eventually(seen.somebody_waits)
        await replica.child.kill()
        await seen.end_who_waits()
    assert (await seen.row(campaign, device))["status"] == "INSTALLING"
    async with service.running():
        await _ends(seen, campaign, {"PENDING": 1})
    assert (await seen.row(campaign, device))["failures"] == 1
    await seen.assert_counters_equal_rows(campaign)


async def test_killed_between_commit_and_acknowledgement_nothing_counts_twice(
    service: Service, seen: World, fleet: Devices, topics: Topics, kafka: str
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], INSTALLING)
    replica = await service.start(INGEST_LINGER_MS="300")
    with frozen(topics.process.pid):
        await fleet.say(device, campaign_id=campaign, status="FAILED", attempt=1)
        await fleet.say_raw(device, b"not json")
        await _ends(seen, campaign, {"PENDING": 1})
        await replica.child.kill()
    assert await quarantined(kafka, device) == [], "so neither was acknowledged"
    async with service.running():
        await eventually(lambda: _is_quarantined(kafka, device))
    row = await seen.row(campaign, device)
    assert (row["status"], row["failures"]) == ("PENDING", 1)
    await seen.assert_counters_equal_rows(campaign)


async def test_killed_between_commit_and_offset_a_result_counts_once(
    service: Service, seen: World, topics: Topics, kafka: str
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device])
    replica = await service.start()
    async with seen.held(campaign, device):
        await send_results(kafka, result(campaign, device, Outcome.NO_SUBSCRIBER))
        await eventually(seen.somebody_waits)
        await topics.process.kill()
    await _ends(seen, campaign, {"PENDING": 1})
    await replica.child.kill()
    await topics.process.start()
    async with service.running() as successor:
        await eventually(lambda: _has_results(successor, 1))
    assert (await seen.row(campaign, device))["offline_tries"] == 1


async def test_a_broker_killed_with_reports_waiting_loses_nothing_that_devices_repeat(
    service: Service, seen: World, mosquitto: Broker
) -> None:
    reporters = names(100)
    campaign = await seen.campaign(reporters, INSTALLING)
    async with service.running() as replica:
        async with seen.held(campaign, reporters[0]), devices(mosquitto) as fleet:
            for device in reporters:
                await fleet.say(device, campaign_id=campaign, status="FAILED", attempt=1)
            await eventually(seen.somebody_waits)
            await mosquitto.kill()
        await mosquitto.start()
        await replica.child.until_ready()  # a device that repeats too early is answered 16, and repeats again
        async with devices(mosquitto) as fleet:
            for device in reporters:
                await fleet.say(device, campaign_id=campaign, status="FAILED", attempt=1)
            await _ends(seen, campaign, {"PENDING": 100})
    failures = await seen.sql.fetchval("SELECT max(failures) FROM ota_device_status WHERE campaign_id = $1", campaign)
    assert failures == 1
    await seen.assert_counters_equal_rows(campaign)


async def test_a_kafka_that_is_away_does_not_hold_reports_up(
    service: Service, seen: World, fleet: Devices, topics: Topics, kafka: str
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], INSTALLING)
    async with service.running():
        with frozen(topics.process.pid):
            await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1)
            await _ends(seen, campaign, {"SUCCESS": 1})
        await eventually(lambda: _is_announced(kafka, device))


async def test_a_kafka_that_is_killed_gets_everything_once_it_is_back(
    service: Service, seen: World, fleet: Devices, topics: Topics, kafka: str
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device])
    async with service.running():
        await topics.process.kill()
        await fleet.say_raw(device, b"not json")
        await asyncio.sleep(2)
        await topics.process.start()
        await send_results(kafka, result(campaign, device, Outcome.PUBLISHED))
        await _ends(seen, campaign, {"DISPATCHED": 1})
        await eventually(lambda: _is_quarantined(kafka, device))


async def test_a_process_whose_parts_are_all_away_still_stops_in_time(
    service: Service, seen: World, fleet: Devices, topics: Topics
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], INSTALLING)
    replica = await service.start()
    async with seen.held(campaign, device):
        await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1)
        await eventually(seen.somebody_waits)
        with frozen(topics.process.pid):
            await replica.stop()
    async with service.running():
        await _ends(seen, campaign, {"SUCCESS": 1})


async def test_without_kafka_at_its_start_it_waits_and_goes_on_by_itself(
    service: Service, seen: World, fleet: Devices, own_kafka: str
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], INSTALLING)
    [port] = free_ports(1)
    replica = await service.launch(KAFKA_BOOTSTRAP=f"{HOST}:{port}")
    await eventually(replica.is_alive, 10)
    async with httpx.AsyncClient(base_url=replica.url) as http:
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"kafka": False})
    async with forwarded(port, (HOST, int(own_kafka.rpartition(":")[2]))):
        await replica.child.until_ready()
        await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1)
        await _ends(seen, campaign, {"SUCCESS": 1})
        await replica.stop()


async def test_a_database_restarted_in_mid_stream_loses_nothing(
    service: Service, postgres: Database, databases: Databases, fleet: Devices
) -> None:
    reporters = names(300)
    async with world(postgres.dsn) as before:
        campaign = await before.campaign(reporters, Row(Status.DISPATCHED, 1, 0))
    async with service.running():
        for number, device in enumerate(reporters):
            await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1)
            if number == 100:
                await databases.process.kill()
            if number == 200:
                await databases.process.start()
        async with world(postgres.dsn) as after:
            await _ends(after, campaign, {"SUCCESS": 300})
            await after.assert_counters_equal_rows(campaign)


async def _ends(seen: World, campaign: int, statuses: dict[str, int]) -> None:
    async def has_ended() -> bool:
        return await seen.statuses(campaign) == statuses

    await eventually(has_ended, 30)


async def _is_quarantined(kafka: str, device: str) -> bool:
    return await quarantined(kafka, device) == ["unreadable"]


async def _has_results(replica: Replica, number: int) -> bool:
    return await replica.metric("pulse_ingest_results_total") == number


async def _is_announced(kafka: str, device: str) -> bool:
    return await transitions(kafka, device) == [("INSTALLING", "SUCCESS")]
