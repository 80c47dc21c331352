"""The process against real parts: each message once, twice, late and unreadable; and what a user can see of it."""

import json
from datetime import timedelta

import aiomqtt
import httpx
import pytest

from pulse.contracts.kafka import QUARANTINE, Outcome
from pulse.contracts.mqtt import report_topic, user_name
from pulse.contracts.status import Row, Status, Wait
from tests.real_parts import Broker
from tests.status_ingest_svc.service import (
    Devices,
    Replica,
    Service,
    eventually,
    quarantined,
    records,
    send_results,
    transitions,
)
from tests.status_ingest_svc.world import TENANT, World, names, result


async def test_the_whole_way_of_a_device(service: Service, seen: World, fleet: Devices, kafka: str) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device])
    async with service.running():
        await send_results(kafka, result(campaign, device, Outcome.PUBLISHED))
        await _becomes(seen, campaign, device, "DISPATCHED")
        for status in ("DOWNLOADING", "INSTALLING", "SUCCESS"):
            await fleet.say(device, campaign_id=campaign, status=status, attempt=1, version="2.0")
            await _becomes(seen, campaign, device, status)
        known = await seen.device(device)
        assert known["current_version"] == "2.0"
        assert known["last_seen_at"] is not None
    assert await transitions(kafka, device) == [
        ("QUEUED", "DISPATCHED"),
        ("DISPATCHED", "DOWNLOADING"),
        ("DOWNLOADING", "INSTALLING"),
        ("INSTALLING", "SUCCESS"),
    ]
    await seen.assert_counters_equal_rows(campaign)


async def test_a_device_of_mqtt_3_1_1_takes_its_update_like_any_other(
    service: Service, seen: World, mosquitto: Broker
) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device])
    mosquitto.add_accounts({user_name(TENANT, device): "secret"})
    old = aiomqtt.Client(
        mosquitto.host,
        mosquitto.port,
        username=user_name(TENANT, device),
        password="secret",
        protocol=aiomqtt.ProtocolVersion.V311,
    )
    async with service.running(), old as client:
        for status in ("DOWNLOADING", "INSTALLING", "SUCCESS"):
            said = {"campaign_id": campaign, "status": status, "attempt": 1, "version": "2.0"}
            await client.publish(report_topic(TENANT, device), json.dumps(said), qos=1)
            await _becomes(seen, campaign, device, status)
    assert (await seen.device(device))["current_version"] == "2.0"


async def test_a_repeated_report_counts_once(service: Service, seen: World, fleet: Devices, kafka: str) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Row(Status.INSTALLING, 1, 0))
    async with service.running() as replica:
        for _ in range(2):
            await fleet.say(device, campaign_id=campaign, status="FAILED", attempt=1, error_code="flash_full")
            await _becomes(seen, campaign, device, "PENDING")
        await _has_taken(replica, 2)
    row = await seen.row(campaign, device)
    assert (row["failures"], row["wait"], row["error_code"]) == (1, "retry", "flash_full")
    assert await transitions(kafka, device) == [("INSTALLING", "PENDING")]


async def test_late_reports_and_results_never_reopen_a_finished_device(
    service: Service, seen: World, fleet: Devices, kafka: str
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Row(Status.SUCCESS, 2, 0))
    before = await seen.row(campaign, device)
    async with service.running() as replica:
        for status, attempt in [("DOWNLOADING", 2), ("FAILED", 2), ("SUCCESS", 1), ("FAILED", None)]:
            await fleet.say(device, campaign_id=campaign, status=status, attempt=attempt)
        await send_results(kafka, result(campaign, device, Outcome.NO_SUBSCRIBER, attempt=2))
        await _has_taken(replica, 4)
        await _has_results(replica, 1)
    assert await seen.row(campaign, device) == before
    assert await transitions(kafka, device) == []
    assert await quarantined(kafka, device) == []


async def test_what_cannot_be_taken_is_put_aside_and_stops_nobody(
    service: Service, seen: World, fleet: Devices, kafka: str
) -> None:
    bad, good, stranger = names(3)
    await seen.register([bad])
    campaign = await seen.campaign([bad, good], Row(Status.DISPATCHED, 1, 0))
    foreign = await seen.campaign([bad], Row(Status.PENDING, 0, 0), tenant="globex")
    untouched = await seen.campaign([bad], Row(Status.PENDING, 0, 0))
    before = await seen.row(campaign, bad)
    async with service.running() as replica:
        await fleet.say_raw(bad, b"\xff not json")
        await fleet.say_raw(bad, b'{"x":' * 1_500)
        await fleet.say_raw(bad, b'{"version":"' + b"1" * 9_000 + b'"}')
        await fleet.say(bad, campaign_id=campaign, status="EXPLODED", attempt=1)
        await fleet.say(bad, campaign_id=987_654, status="SUCCESS", attempt=1)
        await fleet.say(bad, campaign_id=foreign, status="SUCCESS", attempt=1)
        await fleet.say(bad, campaign_id=campaign, status="SUCCESS", attempt=2)
        await fleet.say(bad, campaign_id=untouched, status="SUCCESS", attempt=1)
        await fleet.say(stranger, campaign_id=campaign, status="SUCCESS", attempt=1)
        await fleet.say(stranger, version="1.0")
        await fleet.say(good, campaign_id=campaign, status="SUCCESS", attempt=1)
        await _becomes(seen, campaign, good, "SUCCESS")
        await _has_taken(replica, 11)
    assert sorted(await quarantined(kafka, bad)) == sorted(
        ["too_large", "unknown_status", *["unreadable", "unknown_campaign", "wrong_attempt"] * 2]
    )
    assert await quarantined(kafka, stranger) == ["unknown_device", "unknown_device"]
    assert await seen.row(campaign, bad) == before
    assert (await seen.device(bad))["last_seen_at"] is not None, "it can be heard, for all that"


async def test_results_that_cannot_be_taken_are_passed(service: Service, seen: World, kafka: str) -> None:
    device, other = names(2)
    campaign = await seen.campaign([device])
    async with service.running():
        sources = await send_results(
            kafka,
            b"not json",
            result(987_654, device, Outcome.PUBLISHED),
            result(campaign, other, Outcome.PUBLISHED),
            result(campaign, device, Outcome.PUBLISHED, attempt=3),
            result(campaign, device, Outcome.PUBLISHED),
            partition=3,
        )
        await _becomes(seen, campaign, device, "DISPATCHED")
    found = [r for r in await records(kafka, QUARANTINE) if r["source"] in sources]
    assert sorted(r["reason"] for r in found) == sorted(
        ["unreadable", "unknown_campaign", "unknown_device", "wrong_attempt"]
    )


async def test_a_good_report_is_not_lost_behind_one_of_an_impossible_attempt(
    service: Service, seen: World, fleet: Devices, kafka: str
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Row(Status.DISPATCHED, 1, 0))
    async with service.running(INGEST_LINGER_MS="500"):
        await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=99)
        await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1)
        await _becomes(seen, campaign, device, "SUCCESS")
    assert await quarantined(kafka, device) == ["wrong_attempt"]


async def test_a_device_that_was_offline_is_due_as_soon_as_it_is_heard(
    service: Service, seen: World, fleet: Devices, kafka: str
) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device])
    async with service.running():
        await send_results(kafka, result(campaign, device, Outcome.NO_SUBSCRIBER))
        await _becomes(seen, campaign, device, "PENDING")
        row = await seen.row(campaign, device)
        assert (row["wait"], row["offline_tries"]) == ("offline", 1)
        await fleet.say(device, version="1.7")

        async def is_due() -> bool:
            found = await seen.row(campaign, device)
            return found["wait"] is None and found["offline_tries"] == 0

        await eventually(is_due)
    known = await seen.device(device)
    assert known["current_version"] == "1.7"
    later = await seen.row(campaign, device)
    assert later["next_attempt_at"] - known["last_seen_at"] < timedelta(seconds=1)


async def test_reports_without_an_attempt_are_taken_as_far_as_is_safe(
    service: Service, seen: World, fleet: Devices
) -> None:
    at_work, first, second, waiting = names(4)
    campaign = await seen.campaign([at_work], Row(Status.DISPATCHED, 2, 0))
    await seen.rows(campaign, [(first, Row(Status.QUEUED, 1, 0)), (second, Row(Status.QUEUED, 2, 1))])
    await seen.rows(campaign, [(waiting, Row(Status.PENDING, 1, 1, Wait.RETRY))])
    async with service.running() as replica:
        for device in (at_work, first, second, waiting):
            await fleet.say(device, campaign_id=campaign, status="SUCCESS")
        await _has_taken(replica, 4)
    statuses = {device: (await seen.row(campaign, device))["status"] for device in (at_work, first, second, waiting)}
    assert statuses == {at_work: "SUCCESS", first: "SUCCESS", second: "QUEUED", waiting: "PENDING"}


async def test_success_on_another_version_is_a_failure(service: Service, seen: World, fleet: Devices) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device], Row(Status.INSTALLING, 1, 0), max_attempts=1)
    async with service.running():
        await fleet.say(device, campaign_id=campaign, status="SUCCESS", attempt=1, version="1.0-rollback")
        await _becomes(seen, campaign, device, "FAILED")
    row = await seen.row(campaign, device)
    assert (row["failures"], row["error_code"]) == (1, "version_mismatch")
    assert (await seen.device(device))["current_version"] == "1.0-rollback", "that is what it runs"


async def test_what_had_to_be_put_right_in_reports_is_counted_by_field(
    service: Service, seen: World, fleet: Devices
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], Row(Status.INSTALLING, 1, 0), max_attempts=1)
    async with service.running() as replica:
        await fleet.say(device, campaign_id=campaign, status="FAILED", attempt=1, error_code=17, error=5)
        await _becomes(seen, campaign, device, "FAILED")
        await fleet.say_raw(device, b'{"version":"1.7"}\0')
        await _has_taken(replica, 2)
        counted = {f: await replica.metric(f'pulse_ingest_reports_mended_total{{field="{f}"}}') for f in _MENDED}
    assert counted == _MENDED
    assert (await seen.row(campaign, device))["error_code"] == "17"


_MENDED = {"error_code": 1, "error": 1, "frame": 1, "version": 0}


async def test_it_is_ready_only_when_reports_can_come_in(service: Service) -> None:
    async with service.running() as replica, httpx.AsyncClient() as http:
        answer = (await http.get(f"{replica.url}/readyz")).json()
        assert answer == {"ready": True, "checks": {"database": True, "kafka": True, "mqtt": True}}
        assert (await http.get(f"{replica.url}/healthz")).status_code == 200
        assert await replica.metric("pulse_ingest_lease_ordinal") == 0


@pytest.mark.parametrize(("setting", "value"), [("INGEST_BATCH", "many"), ("MQTT_PORT", "70000")])
async def test_it_does_not_start_with_a_wrong_setting(service: Service, setting: str, value: str) -> None:
    replica = await service.launch(**{setting: value})
    assert await replica.child.wait() == 2
    said = replica.child.log.read_text().strip()
    assert said.startswith("status-ingest-svc: settings:")
    assert setting in said
    assert "\n" not in said


async def _becomes(seen: World, campaign: int, device: str, status: str) -> None:
    async def has_become() -> bool:
        return bool((await seen.row(campaign, device))["status"] == status)

    await eventually(has_become)


async def _has_taken(replica: Replica, reports: int) -> None:
    async def has_taken() -> bool:
        return await replica.metric("pulse_ingest_reports_total") == reports

    await eventually(has_taken)


async def _has_results(replica: Replica, results: int) -> None:
    async def has_taken() -> bool:
        return await replica.metric("pulse_ingest_results_total") == results

    await eventually(has_taken)
