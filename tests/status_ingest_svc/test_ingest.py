"""Batches taken side by side, against each other and against campaign-svc's claims."""

import asyncio
import json
import random
from collections.abc import AsyncIterator

import pytest

from pulse.contracts.kafka import Outcome
from pulse.contracts.mqtt import report_topic
from pulse.contracts.status import ACTIVE, Row, Status, Wait
from pulse.runtime import db
from pulse.runtime import kafka as kafka_door
from pulse.runtime.kafka_cluster import Cluster
from status_ingest_svc.ingest import Ingest
from status_ingest_svc.reading import Message, read_report, read_result
from status_ingest_svc.store import Backoff
from status_ingest_svc.transitions import Transitions
from tests.real_parts import Database
from tests.status_ingest_svc.world import TENANT, World, as_row, names, result

CLAIM = """
    WITH due AS (SELECT campaign_id, device_id FROM ota_device_status
                  WHERE campaign_id = $1 AND status = 'PENDING' LIMIT 20 FOR UPDATE SKIP LOCKED)
    UPDATE ota_device_status s SET status = 'QUEUED', attempt = attempt + 1, wait = NULL
      FROM due WHERE s.campaign_id = due.campaign_id AND s.device_id = due.device_id
"""


@pytest.fixture
async def ingest(postgres: Database, kafka: str) -> AsyncIterator[Ingest]:
    async with (
        db.pool(postgres.dsn_of("status_ingest_svc"), size=8) as database,
        kafka_door.producer(Cluster(kafka)) as producer,
    ):
        yield Ingest(database, producer, Transitions(producer), Backoff(retry=0.001, offline=0.001))


def _message(chance: random.Random, campaigns: list[int], devices: list[str]) -> Message:
    campaign, device, attempt = chance.choice(campaigns), chance.choice(devices), chance.choice([1, 2, 3])
    if chance.random() < 0.4:
        outcome = chance.choice(list(Outcome))
        return read_result("results/0/0", result(campaign, device, outcome, attempt, 135))
    status = chance.choice(["DOWNLOADING", "INSTALLING", "FAILED", "FAILED", "SUCCESS"])
    bare = chance.random() < 0.2
    said = f'{{"campaign_id":{campaign},"status":"{status}"' + ("}" if bare else f',"attempt":{attempt}}}')
    return read_report(report_topic(TENANT, device), said.encode())


async def test_counters_equal_rows_after_writers_that_met(ingest: Ingest, postgres: Database, seen: World) -> None:
    chance = random.Random(11)
    devices = names(60)
    await seen.register(devices)
    campaigns = [await seen.campaign(half, max_attempts=3) for half in (devices[:30], devices[30:])]

    async def report() -> None:
        for _ in range(15):
            await ingest.take([_message(chance, campaigns, devices) for _ in range(60)])

    async def claim() -> None:
        async with db.pool(postgres.dsn_of("campaign_loops"), size=1) as pool:
            for _ in range(60):
                for campaign in campaigns:
                    await pool.execute(CLAIM, campaign)
                await asyncio.sleep(0.005)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(report())
        group.create_task(claim())

    for campaign in campaigns:
        await seen.assert_counters_equal_rows(campaign)
        statuses = await seen.statuses(campaign)
        assert sum(statuses.values()) == 30
        assert set(statuses) - {status.value for status in ACTIVE}, "some have come to an end, or wait"


async def test_a_batch_of_nothing_but_bad_messages_is_taken(ingest: Ingest, kafka: str) -> None:
    [device] = names(1)
    async with asyncio.timeout(20):
        await ingest.take([read_report(report_topic(TENANT, device), b"bad") for _ in range(450)])


def _said(device: str, **fields: object) -> Message:
    return read_report(report_topic(TENANT, device), json.dumps(fields).encode())


@pytest.mark.parametrize("row", [Row(Status.DISPATCHED, 2, 0), Row(Status.FAILED, 2, 3), Row(Status.SUCCESS, 2, 0)])
@pytest.mark.parametrize("status", ["DOWNLOADING", "INSTALLING", "FAILED", "SUCCESS", "EXPLODED"])
@pytest.mark.parametrize("attempt", [None, 1, 2, 9])
async def test_a_version_in_any_report_of_a_device_is_what_it_runs(
    ingest: Ingest, seen: World, row: Row, status: str, attempt: int | None
) -> None:
    known, foreign, stranger = names(3)
    await seen.register([known, foreign])
    campaign = await seen.campaign([known], row)
    said = {"status": status, "attempt": attempt, "version": "1.0-old"}
    async with asyncio.timeout(20):
        await ingest.take([_said(known, campaign_id=campaign, **said), _said(stranger, campaign_id=campaign, **said)])
        await ingest.take([_said(foreign, campaign_id=987_654, **said)])
    for device in (known, foreign):
        assert (await seen.device(device))["current_version"] == "1.0-old"


async def test_the_last_word_on_a_version_counts_whatever_it_was_said_in(ingest: Ingest, seen: World) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device], Row(Status.INSTALLING, 1, 0))
    fallen_back: dict[str, object] = {"campaign_id": campaign, "attempt": 1, "status": "FAILED"}
    said: list[tuple[list[dict[str, object]], str]] = [
        ([{"version": "1.4"}, fallen_back | {"version": "1.5"}], "1.5"),
        ([fallen_back | {"version": "1.6"}, {"version": "1.7"}], "1.7"),
        ([{"campaign_id": campaign, "attempt": 1, "status": "SUCCESS", "version": "2.0"}], "2.0"),
        ([fallen_back | {"version": "1.8", "attempt": None}, fallen_back | {"version": "1.9"}], "1.9"),
    ]
    for words, last in said:
        await ingest.take([_said(device, **each) for each in words])
        assert (await seen.device(device))["current_version"] == last


@pytest.mark.parametrize("said", [{}, {"version": "2.0"}])
async def test_a_success_that_counts_sets_the_campaigns_version_said_or_not(
    ingest: Ingest, seen: World, said: dict[str, object]
) -> None:
    counts, is_late = devices = names(2)
    await seen.register(devices)
    campaign = await seen.campaign()
    await seen.rows(campaign, [(counts, Row(Status.INSTALLING, 1, 0)), (is_late, Row(Status.FAILED, 1, 3))])
    await ingest.take([_said(d, campaign_id=campaign, attempt=1, status="SUCCESS", **said) for d in devices])
    assert (await seen.device(counts))["current_version"] == "2.0"
    assert (await seen.device(is_late))["current_version"] == ("2.0" if said else "1.0")


@pytest.mark.parametrize("version", [2.0, ["2.0"], ""])
async def test_a_success_with_a_version_that_is_none_fails_and_moves_nothing(
    ingest: Ingest, seen: World, version: object
) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device], Row(Status.INSTALLING, 1, 0), max_attempts=1)
    await ingest.take([_said(device, campaign_id=campaign, attempt=1, status="SUCCESS", version=version)])
    row = await seen.row(campaign, device)
    assert (row["status"], row["error_code"]) == ("FAILED", "version_mismatch")
    assert (await seen.device(device))["current_version"] == "1.0"


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff not json", b"{}", b'{"version":2.1}', b'{"version":""}', b'{"x":"' + b"1" * 9_000 + b'"}', b"[1]"],
)
async def test_whatever_a_device_sends_it_was_heard(ingest: Ingest, seen: World, payload: bytes) -> None:
    [device] = names(1)
    await seen.register([device])
    campaign = await seen.campaign([device], Row(Status.PENDING, 1, 0, Wait.OFFLINE), offline_tries=4)
    await ingest.take([read_report(report_topic(TENANT, device), payload)])
    row, known = await seen.row(campaign, device), await seen.device(device)
    assert (row["wait"], row["offline_tries"]) == (None, 0)
    assert row["next_attempt_at"] <= known["last_seen_at"]
    assert known["current_version"] == "1.0"


async def test_eight_failures_with_a_numeric_code_are_eight_failures(ingest: Ingest, seen: World) -> None:
    devices = names(8)
    campaign = await seen.campaign(devices, Row(Status.INSTALLING, 1, 0), max_attempts=1)
    failed = {"campaign_id": campaign, "attempt": 1.0, "status": "FAILED", "error_code": 17, "error": {"a": 1}}
    await ingest.take([_said(device, **failed, progress="55", version=2.1) for device in devices])
    assert await seen.statuses(campaign) == {"FAILED": 8}
    row = await seen.row(campaign, devices[0])
    assert (row["error_code"], row["error_message"]) == ("17", '{"a": 1}')


@pytest.mark.parametrize("code", ["expired", "bad_time"])
@pytest.mark.parametrize(
    ("row", "after"),
    [
        (Row(Status.DISPATCHED, 2, 0), Row(Status.DISPATCHED, 2, 0)),
        (Row(Status.PENDING, 1, 0), Row(Status.PENDING, 1, 0)),
        (Row(Status.SUCCESS, 1, 0), Row(Status.SUCCESS, 1, 0)),
        (Row(Status.DISPATCHED, 1, 0), Row(Status.PENDING, 1, 1, Wait.RETRY)),
    ],
    ids=["a newer attempt", "taken back", "done", "the attempt itself"],
)
async def test_a_command_refused_for_its_time_fails_its_own_attempt_and_no_other(
    ingest: Ingest, seen: World, code: str, row: Row, after: Row
) -> None:
    [device] = names(1)
    campaign = await seen.campaign([device], row)
    refused = _said(device, campaign_id=campaign, attempt=1, status="FAILED", error_code=code)
    for _ in range(2):
        await ingest.take([refused])
        assert as_row(await seen.row(campaign, device)) == after
