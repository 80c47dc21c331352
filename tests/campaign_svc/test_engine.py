"""One campaign's tick, on the real database and the real Kafka: released, swept, judged, ended, retried."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from campaign_svc.engine import rollout_store
from campaign_svc.engine.engine import Engine
from pulse.contracts.kafka import request_partition
from pulse.contracts.mqtt import Command
from pulse.contracts.times import to_text
from pulse.runtime.db import Pool, transaction
from tests.campaign_svc.rows import TENANT, Fleet, Gate
from tests.campaign_svc.wire import control_of, requests_of

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2226, 1, 1, tzinfo=UTC)


async def test_a_released_device_has_a_request_that_says_all(fleet: Fleet, engine: Engine, kafka: str) -> None:
    campaign = await fleet.campaign(1, rollout_rate=600, attempt_timeout_seconds=90, epoch=4)
    await engine.tick(campaign)
    row = await fleet.device(campaign, "d0")
    [sent] = await requests_of(kafka, campaign)
    assert (sent.key, sent.partition) == (f"{campaign}:0", request_partition(campaign, 0, 10.0, 24))
    request = sent.request
    assert (request.tenant_id, request.device_id, request.attempt, request.epoch) == (TENANT, "d0", 1, 4)
    assert (request.bucket, request.bucket_rate, request.bucket_burst) == (sent.key, 10.0, 2.0)
    assert request.not_after == row["not_after"] == row["queued_at"] + timedelta(seconds=35.1)
    assert request.expires_at == row["queued_at"] + timedelta(seconds=90)
    assert msgspec.json.decode(request.command) == {
        "type": "ota_update",
        "campaign_id": campaign,
        "attempt": 1,
        "version": "2.1.0",
        "firmware_url": "http://files/2.1.0.bin",
        "size": 1000,
        "checksum": "ab" * 32,
        "issued_at": to_text(row["queued_at"]),
        "expires_at": to_text(request.expires_at),
    }
    assert msgspec.json.decode(request.command, type=Command).attempt == row["attempt"]


@pytest.mark.parametrize(("per_minute", "released"), [(1, 1), (60, 5), (600, 50), (600_000, 4_500)])
async def test_the_look_ahead_is_released_and_then_nothing_more(
    fleet: Fleet, engine: Engine, kafka: str, per_minute: int, released: int
) -> None:
    campaign = await fleet.campaign(4_500, rollout_rate=per_minute)
    for _ in range(3):
        await engine.tick(campaign)
        assert (await fleet.statuses(campaign))["QUEUED"] == released
    assert len(await requests_of(kafka, campaign)) == released


async def test_no_more_devices_are_in_flight_than_the_limit(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(100, max_in_flight=10)
    await fleet.move(campaign, "INSTALLING", "d0", "d1", "d2", attempt=1)
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"INSTALLING": 3, "QUEUED": 7, "PENDING": 90}
    await fleet.move(campaign, "SUCCESS", "d0", "d1")
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SUCCESS": 2, "INSTALLING": 1, "QUEUED": 9, "PENDING": 88}


async def test_the_ramp_widens_with_each_success(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(100, ramp_start=4, ramp_factor=2.0)
    await engine.tick(campaign)
    assert (await fleet.statuses(campaign))["QUEUED"] == 4
    await fleet.pool.execute("UPDATE ota_device_status SET status = 'SUCCESS' WHERE status = 'QUEUED'")
    await engine.tick(campaign)
    assert (await fleet.statuses(campaign))["QUEUED"] == 12


@pytest.mark.parametrize("status", ["CREATED", "PAUSED", "ABORTED", "COMPLETED"])
async def test_only_a_running_campaign_releases(fleet: Fleet, engine: Engine, kafka: str, status: str) -> None:
    campaign = await fleet.campaign(5, status=status)
    await engine.tick(campaign)
    assert (await fleet.statuses(campaign))["QUEUED"] == 0
    assert await requests_of(kafka, campaign) == []


async def test_a_row_whose_request_was_lost_in_a_crash_is_released_again(
    fleet: Fleet, engine: Engine, loops: Pool, kafka: str
) -> None:
    campaign = await fleet.campaign(1)
    async with transaction(loops) as conn:  # killed after this commit, before the request went out
        await rollout_store.claim(conn, campaign, [0], 1, timedelta(seconds=-60))
    await engine.tick(campaign)
    assert (await fleet.device(campaign, "d0"))["status"] == "QUEUED", "it may still be on its way"
    await fleet.caught_up()
    await engine.tick(campaign)
    await engine.tick(campaign)
    assert [sent.request.attempt for sent in await requests_of(kafka, campaign)] == [2]


async def test_a_silent_device_is_tried_again_and_fails_in_the_end(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(2, max_attempts=2, abort_threshold=1.0)
    await fleet.caught_up()
    for _ in range(2):
        await engine.tick(campaign)
        await fleet.move(campaign, "DISPATCHED", "d0", dispatched_at=LONG_AGO)
        await engine.tick(campaign)
        await fleet.pool.execute("UPDATE ota_device_status SET next_attempt_at = now() WHERE device_id = 'd0'")
    row = await fleet.device(campaign, "d0")
    assert (row["status"], row["attempt"], row["failures"], row["error_code"]) == ("FAILED", 2, 2, "no_response")
    assert row["completed_at"] is not None


@pytest.mark.parametrize("status", ["PAUSED", "ABORTED"])
async def test_sweeps_go_on_in_a_campaign_that_is_stopped(fleet: Fleet, engine: Engine, status: str) -> None:
    campaign = await fleet.campaign(2, status=status, max_attempts=1)
    await fleet.move(campaign, "QUEUED", "d0", attempt=1, not_after=LONG_AGO)
    await fleet.move(campaign, "DOWNLOADING", "d1", attempt=1, dispatched_at=LONG_AGO)
    await fleet.caught_up()
    await engine.tick(campaign)
    assert (await fleet.device(campaign, "d0"))["status"] != "QUEUED"
    assert (await fleet.device(campaign, "d1"))["error_code"] == "timeout"


async def test_an_abort_ends_what_waits_and_then_waits_for_what_is_at_work(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(30, status="ABORTED", epoch=5)
    await fleet.move(campaign, "PENDING", "d0", attempt=1, failures=1, wait="retry", next_attempt_at=FAR_OFF)
    await fleet.move(campaign, "DOWNLOADING", "d1", attempt=1, dispatched_at=datetime.now(UTC))
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SKIPPED": 28, "FAILED": 1, "DOWNLOADING": 1}
    assert (await fleet.device(campaign, "d2"))["skip_reason"] == "aborted"
    await engine.tick(campaign)
    assert (await fleet.get(campaign))["completed_at"] is None
    await fleet.move(campaign, "SUCCESS", "d1")
    await engine.tick(campaign)
    ended = await fleet.get(campaign)
    assert (ended["status"], ended["epoch"]) == ("ABORTED", 5)
    assert ended["completed_at"] is not None
    assert await fleet.miscounted() == []


async def test_a_deadline_ends_what_waits_and_completes_the_campaign(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(20, end_at=datetime.now(UTC))
    await fleet.move(campaign, "SUCCESS", "d0", attempt=1)
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SKIPPED": 19, "SUCCESS": 1}
    assert (await fleet.device(campaign, "d1"))["skip_reason"] == "deadline"
    await engine.tick(campaign)
    assert (await fleet.get(campaign))["status"] == "COMPLETED"


async def test_a_campaign_is_completed_once_and_told_to_the_dispatchers(
    fleet: Fleet, engine: Engine, kafka: str
) -> None:
    campaign = await fleet.campaign(3, epoch=2)
    await fleet.move(campaign, "SUCCESS")
    await engine.tick(campaign)
    await engine.tick(campaign)
    completed = await fleet.get(campaign)
    assert (completed["status"], completed["epoch"]) == ("COMPLETED", 3)
    assert completed["completed_at"] is not None
    assert await control_of(kafka, campaign) == [(3, "COMPLETED")]
    assert await fleet.events(campaign) == ["completed"]


async def test_too_many_failures_abort_and_nothing_is_released_any_more(
    fleet: Fleet, engine: Engine, kafka: str
) -> None:
    campaign = await fleet.campaign(30)
    await fleet.move(campaign, "FAILED", "d0", "d1", attempt=3, failures=3)
    await engine.tick(campaign)
    aborted = await fleet.get(campaign)
    assert (aborted["status"], aborted["epoch"], aborted["status_reason_code"]) == ("ABORTED", 2, "abort_ratio")
    assert aborted["status_reason_detail"] == "2 of 2 finished devices failed; the threshold is 10%"
    assert aborted["status_reason_by"] is None
    assert await control_of(kafka, campaign) == [(2, "ABORTED")]
    assert await requests_of(kafka, campaign) == []
    [entry] = await fleet.pool.fetch("SELECT * FROM ota_campaign_timeline WHERE campaign_id = $1", campaign)
    assert (entry["event"], entry["epoch"], entry["by"]) == ("aborted", 2, None)
    assert entry["detail"] | {"code": "abort_ratio", "failed": 2, "succeeded": 0} == entry["detail"]


async def test_withdrawn_firmware_pauses_its_campaigns(fleet: Fleet, engine: Engine, kafka: str) -> None:
    campaign = await fleet.campaign(3)
    await fleet.withdraw(campaign)
    await engine.tick(campaign)
    paused = await fleet.get(campaign)
    assert (paused["status"], paused["status_reason_code"]) == ("PAUSED", "firmware_withdrawn")
    assert paused["status_reason_detail"] == "firmware 2.1.0 was withdrawn by ann@acme: bricks the radio"
    [entry] = await fleet.pool.fetch("SELECT * FROM ota_campaign_timeline WHERE campaign_id = $1", campaign)
    assert (entry["event"], entry["reason"]) == ("paused", paused["status_reason_detail"])
    assert (entry["detail"]["withdrawn_by"], entry["detail"]["withdrawn_reason"]) == ("ann@acme", "bricks the radio")
    assert await control_of(kafka, campaign) == [(2, "PAUSED")]
    assert (await fleet.statuses(campaign)) == {"PENDING": 3}


async def test_an_attempt_keeps_its_command_and_the_next_one_has_the_new_address(
    fleet: Fleet, engine: Engine, kafka: str
) -> None:
    campaign = await fleet.campaign(1)
    await engine.tick(campaign)
    await fleet.pool.execute(
        """UPDATE firmware_versions SET file_url = 'http://elsewhere/2.1.0.bin'
            WHERE id = (SELECT firmware_version_id FROM ota_campaigns WHERE id = $1)""",
        campaign,
    )
    await engine.tick(campaign)
    await fleet.move(campaign, "PENDING", attempt=1, failures=1)
    await engine.tick(campaign)
    commands = [msgspec.json.decode(sent.request.command) for sent in await requests_of(kafka, campaign)]
    assert [(command["attempt"], command["firmware_url"]) for command in commands] == [
        (1, "http://files/2.1.0.bin"),
        (2, "http://elsewhere/2.1.0.bin"),
    ]
    assert {(command["checksum"], command["size"]) for command in commands} == {("ab" * 32, 1000)}


async def test_a_retry_of_all_failed_devices_is_worked_off_before_anything_is_judged(
    fleet: Fleet, engine: Engine
) -> None:
    campaign = await fleet.campaign(30, epoch=9)
    await fleet.move(campaign, "FAILED", attempt=3, failures=3, completed_at=LONG_AGO)
    await fleet.set(campaign, retry_before=datetime.now(UTC))
    await engine.tick(campaign)
    assert (await fleet.statuses(campaign)) == {"PENDING": 30}
    row = await fleet.device(campaign, "d0")
    assert (row["attempt"], row["failures"], row["completed_at"]) == (3, 0, None)
    await engine.tick(campaign)
    assert (await fleet.get(campaign))["status"] == "RUNNING"
    assert (await fleet.device(campaign, "d0"))["attempt"] == 4


async def test_an_abort_leaves_failed_what_was_not_retried_yet(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(3, status="ABORTED", retry_before=datetime.now(UTC))
    await fleet.move(campaign, "FAILED", attempt=3, failures=3, completed_at=LONG_AGO)
    await engine.tick(campaign)
    await engine.tick(campaign)
    assert (await fleet.statuses(campaign)) == {"FAILED": 3}
    assert (await fleet.get(campaign))["completed_at"] is not None


async def test_superseded_devices_are_skipped_and_do_not_slow_the_release_of_others(
    fleet: Fleet, engine: Engine
) -> None:
    campaign = await fleet.campaign(3_000, rollout_rate=1)
    newer = await fleet.campaign(2_999)
    await fleet.move(newer, "SUCCESS")
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SKIPPED": 2_999, "QUEUED": 1}
    assert (await fleet.device(campaign, "d2999"))["status"] == "QUEUED"


async def test_a_campaign_all_of_whose_devices_are_superseded_completes_and_says_so(
    fleet: Fleet, engine: Engine
) -> None:
    campaign, newer = await fleet.campaign(3), await fleet.campaign(3)
    await fleet.move(newer, "SUCCESS")
    for _ in range(2):
        await engine.tick(campaign)
    row = await fleet.get(campaign)
    assert (row["status"], row["status_reason_code"]) == ("COMPLETED", "nobody_updated")
    assert row["status_reason_detail"] == "no device was updated: 0 failed, 3 skipped (3 superseded)"


@pytest.mark.parametrize("code", ["operator", "firmware_withdrawn", "gate_failed"])
async def test_a_paused_campaign_whose_last_outcomes_break_its_rule_is_aborted_with_that_reason(
    fleet: Fleet, engine: Engine, kafka: str, code: str
) -> None:
    campaign = await fleet.campaign(4, status="PAUSED", status_reason_code=code, epoch=2)
    await fleet.move(campaign, "INSTALLING", attempt=1)
    await engine.tick(campaign)
    assert (await fleet.get(campaign))["status"] == "PAUSED"
    await fleet.move(campaign, "FAILED", attempt=1, failures=1)
    await engine.tick(campaign)
    await engine.tick(campaign)
    row = await fleet.get(campaign)
    assert (row["status"], row["status_reason_code"]) == ("ABORTED", "abort_ratio")
    assert row["status_reason_detail"] == "4 of 4 finished devices failed; the threshold is 10%"
    assert row["completed_at"] is not None
    assert await control_of(kafka, campaign) == [(3, "ABORTED")]


async def test_a_stage_is_released_alone_and_an_open_gate_starts_the_next_at_its_own_rate(
    fleet: Fleet, engine: Engine, kafka: str
) -> None:
    campaign = await fleet.campaign(30, gates=(Gate(4, rate=600, min_success=0.75),), rollout_rate=1200)
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"QUEUED": 4, "PENDING": 26}
    assert (await fleet.stage(campaign, 0))["status"] == "RUNNING"
    await fleet.move(campaign, "SUCCESS", "d0", "d1", "d2")
    await fleet.move(campaign, "PENDING", "d3")
    await engine.tick(campaign)
    after = await fleet.get(campaign)
    assert (after["current_stage"], after["epoch"], after["status"]) == (1, 2, "RUNNING")
    assert (await fleet.stage(campaign, 0))["status"] == "PASSED"
    assert await control_of(kafka, campaign) == [(2, "RUNNING")]
    assert await fleet.events(campaign) == ["gate_passed", "stage_started"]
    await engine.tick(campaign)
    assert await fleet.statuses(campaign) == {"SUCCESS": 3, "QUEUED": 27}
    newest = [sent.request for sent in await requests_of(kafka, campaign) if sent.request.epoch == 2]
    assert {request.bucket_rate for request in newest} == {20.0}
    assert len(newest) == 27, "the straggler of the first stage too"


async def test_a_stage_with_the_same_rate_starts_without_a_new_epoch(fleet: Fleet, engine: Engine, kafka: str) -> None:
    campaign = await fleet.campaign(30, gates=(Gate(4),))
    await fleet.move(campaign, "SUCCESS", "d0", "d1", "d2", "d3")
    await engine.tick(campaign)
    after = await fleet.get(campaign)
    assert (after["current_stage"], after["epoch"]) == (1, 1)
    assert await control_of(kafka, campaign) == []


async def test_a_gate_soaks_then_asks_and_then_opens(fleet: Fleet, engine: Engine) -> None:
    campaign = await fleet.campaign(30, gates=(Gate(4, soak_seconds=600, approval=True),))
    await fleet.move(campaign, "SUCCESS", "d0", "d1", "d2", "d3")
    way: list[tuple[str, dict[str, object]]] = [
        ("SOAKING", {"soak_until": datetime.now(UTC)}),
        ("AWAITING_APPROVAL", {"approved_at": datetime.now(UTC), "approved_by": "boss@acme"}),
        ("PASSED", {}),
    ]
    for status, then in way:
        await engine.tick(campaign)
        assert (await fleet.stage(campaign, 0))["status"] == status
        if then:
            assert (await fleet.get(campaign))["current_stage"] == 0
            await fleet.set_stage(campaign, 0, **then)
    assert (await fleet.get(campaign))["current_stage"] == 1


async def test_a_failed_gate_pauses_and_an_approver_lets_it_go_on(fleet: Fleet, engine: Engine, kafka: str) -> None:
    campaign = await fleet.campaign(30, gates=(Gate(4),), abort_threshold=1.0)
    await fleet.move(campaign, "FAILED", "d0", attempt=3, failures=3)
    await engine.tick(campaign)
    paused = await fleet.get(campaign)
    assert (paused["status"], paused["status_reason_code"]) == ("PAUSED", "gate_failed")
    assert (await fleet.stage(campaign, 0))["status"] == "FAILED"
    assert await control_of(kafka, campaign) == [(2, "PAUSED")]
    await fleet.set(campaign, status="RUNNING")
    await engine.tick(campaign)
    assert (await fleet.get(campaign))["status"] == "PAUSED", "started without approval"
    await fleet.set_stage(campaign, 0, approved_at=datetime.now(UTC), approved_by="boss@acme")
    await fleet.set(campaign, status="RUNNING")
    await engine.tick(campaign)
    assert (await fleet.get(campaign))["current_stage"] == 1


async def test_a_campaign_that_another_replica_has_is_left_to_it(fleet: Fleet, engine: Engine, loops: Pool) -> None:
    campaign = await fleet.campaign(5)
    async with transaction(loops) as other:
        await other.fetch("SELECT FROM ota_campaigns WHERE id = $1 FOR NO KEY UPDATE", campaign)
        await engine.tick(campaign)
    assert (await fleet.statuses(campaign)) == {"PENDING": 5}
