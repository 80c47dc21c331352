"""`/customer/ota/overview`, `/firmware-usage`, `/history`, and the new fields of campaigns, over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from campaign_svc.main import build
from pulse.runtime import db
from tests.campaign_svc.rows import TENANT, Fleet, Gate
from tests.real_parts import Database
from tests.rest import Caller, caller, verifier

OVERVIEW, USAGE, CAMPAIGNS = "/customer/ota/overview", "/customer/ota/firmware-usage", "/customer/ota/campaigns"


@pytest.fixture(scope="module")
async def api(postgres: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    async with db.pool(postgres.dsn_of("campaign_svc"), size=4) as pool:
        yield caller(build(pool, verifier(tmp_path_factory.mktemp("auth")), None, {})).as_("viewer")


@pytest.fixture
async def empty(fleet: Fleet) -> Fleet:
    await fleet.pool.execute("TRUNCATE devices, device_version_counts, device_heard_counts, device_totals CASCADE")
    return fleet


def ago(**given: float) -> datetime:
    return datetime.now(UTC) - timedelta(**given)


async def devices(fleet: Fleet, *ids: str, version: str | None, kind: str = "gw2", tenant: str = TENANT) -> None:
    await fleet.pool.execute(
        """INSERT INTO devices (tenant_id, device_id, device_type, current_version)
           SELECT $1, unnest($2::text[]), $3, $4""",
        tenant,
        list(ids),
        kind,
        version,
    )


async def test_a_tenant_without_anything_has_an_empty_overview(empty: Fleet, api: Caller) -> None:
    assert await api.get(OVERVIEW) == {
        "waiting": [], "running": [], "versions": [], "failures": [], "devices_total": 0, "heard_last_hour": 0,
    }  # fmt: skip


async def test_what_waits_for_a_person_is_told_with_the_reason_the_longest_first(empty: Fleet, api: Caller) -> None:
    asks = await empty.campaign(4, gates=(Gate(2, approval=True),), name="asks")
    await empty.set_stage(asks, 0, status="AWAITING_APPROVAL", soak_until=ago(hours=1))
    for name, status, code, since in (
        ("gate", "PAUSED", "gate_failed", ago(hours=2)),
        ("withdrawn", "PAUSED", "firmware_withdrawn", ago(hours=3)),
        ("behind", "PAUSED", "restored", ago(hours=4)),
        ("bad", "ABORTED", "abort_ratio", ago(days=2)),
        ("long ago", "ABORTED", "abort_ratio", ago(days=4)),
        ("by hand", "ABORTED", "operator", ago(hours=1)),
        ("paused", "PAUSED", "operator", ago(hours=1)),
    ):
        campaign = await empty.campaign(1, name=name, status=status)
        await empty.set(campaign, status_reason_code=code, status_reason_detail=f"of {name}", status_reason_at=since)
    slow = await empty.campaign(1, name="lags", promised_rate=10.0)
    await empty.set(slow, slow_since=ago(minutes=5))
    waiting = (await api.get(OVERVIEW))["waiting"]
    assert [(one["name"], one["why"], one["detail"]) for one in waiting] == [
        ("bad", "aborted", "of bad"),
        ("behind", "restored", "of behind"),
        ("withdrawn", "firmware_withdrawn", "of withdrawn"),
        ("gate", "gate_failed", "of gate"),
        ("asks", "approval", "stage stage"),
        ("lags", "slow", "sends 0 of 600 devices a minute"),
    ]
    assert (waiting[4]["campaign_id"], waiting[5]["campaign_id"]) == (asks, slow)
    listed = await api.get(CAMPAIGNS, needs_attention="true")
    assert {one["id"] for one in listed["campaigns"]} == {one["campaign_id"] for one in waiting}
    assert listed["total"] == 6


async def test_a_gate_that_was_let_pass_waits_to_be_resumed_and_one_that_was_approved_for_nobody(
    empty: Fleet, api: Caller
) -> None:
    passed = await empty.campaign(2, gates=(Gate(1),), name="passed", status="PAUSED")
    await empty.set(passed, status_reason_code="gate_failed", status_reason_at=ago(hours=2))
    await empty.set_stage(passed, 0, status="FAILED", approved_by="ada", approved_at=ago(minutes=5))
    opens = await empty.campaign(2, gates=(Gate(1, approval=True),), name="opens")
    await empty.set_stage(opens, 0, status="AWAITING_APPROVAL", approved_by="ada", approved_at=ago(seconds=1))
    waiting = (await api.get(OVERVIEW))["waiting"]
    assert [(one["campaign_id"], one["why"], one["detail"]) for one in waiting] == [(passed, "gate_passed", "by ada")]
    assert [one["id"] for one in (await api.get(CAMPAIGNS, needs_attention="true"))["campaigns"]] == [passed]


async def test_running_campaigns_come_whole_and_newest_first(empty: Fleet, api: Caller) -> None:
    first, second = await empty.campaign(2, name="first"), await empty.campaign(3, name="second")
    await empty.campaign(1, status="PAUSED")
    running = (await api.get(OVERVIEW))["running"]
    assert [(one["id"], one["total_devices"]) for one in running] == [(second, 3), (first, 2)]


async def test_versions_and_devices_are_those_of_the_tenant(empty: Fleet, api: Caller) -> None:
    await devices(empty, "a", "b", "c", version="2.0")
    await devices(empty, "d", version=None)
    await devices(empty, "e", "f", version="2.0", kind="gw3")
    await devices(empty, "a", "b", version="9.9", tenant="other")
    await empty.pool.execute("UPDATE devices SET last_seen_at = now() WHERE device_id IN ('a', 'b')")
    await empty.pool.execute("UPDATE devices SET last_seen_at = now() - interval '70 minutes' WHERE device_id = 'c'")
    overview = await api.get(OVERVIEW)
    assert overview["versions"] == [
        {"device_type": "gw2", "version": "2.0", "devices": 3},
        {"device_type": "gw3", "version": "2.0", "devices": 2},
        {"device_type": "gw2", "version": None, "devices": 1},
    ]
    assert (overview["devices_total"], overview["heard_last_hour"]) == (6, 2)


async def test_failures_are_those_of_the_last_24_hours(empty: Fleet, api: Caller) -> None:
    campaign = await empty.campaign(3)
    await empty.move(campaign, "PENDING", "d0", "d1", failures=1, error_code="no_power")
    await empty.move(campaign, "FAILED", "d0", failures=2, error_code="flash_full")
    await empty.pool.execute(
        "INSERT INTO tenant_failures VALUES ($1, now() - interval '26 hours', 'old', 9), ('other', now(), 'theirs', 9)",
        TENANT,
    )
    assert (await api.get(OVERVIEW))["failures"] == [
        {"error_code": "no_power", "devices": 2},
        {"error_code": "flash_full", "devices": 1},
    ]


async def test_firmware_usage_names_the_devices_on_it_and_the_campaigns_not_ended(empty: Fleet, api: Caller) -> None:
    campaigns = [await empty.campaign(1, status=status) for status in ("CREATED", "RUNNING", "COMPLETED")]
    firmware = (await empty.get(campaigns[0]))["firmware_version_id"]
    for campaign in campaigns:
        await empty.set(campaign, firmware_version_id=firmware)
    kind = await empty.pool.fetchval("SELECT device_type FROM firmware_versions WHERE id = $1", firmware)
    await devices(empty, "a", "b", version="2.1.0", kind=kind)
    await devices(empty, "c", version="2.1.0", kind="of another type")
    await devices(empty, "d", version="2.0", kind=kind)
    usage = await api.get(USAGE, firmware_version_id=firmware)
    assert usage["devices"] == 2
    assert [(one["id"], one["status"]) for one in usage["campaigns"]] == [
        (campaigns[1], "RUNNING"),
        (campaigns[0], "CREATED"),
    ]
    refused = (404, "firmware_not_found", ["firmware_version_id"])
    assert await api.refused("GET", USAGE, firmware_version_id=firmware + 1000) == refused
    assert await api.as_("viewer", "other").refused("GET", USAGE, firmware_version_id=firmware) == refused
    assert (await api.refused("GET", USAGE))[0] == 422


async def test_a_campaign_tells_its_pace_its_end_and_its_failures(empty: Fleet, api: Caller) -> None:
    campaign = await empty.campaign(100, rollout_rate=600, started_at=ago(minutes=9), promised_at=ago(minutes=9))
    await empty.pool.execute("UPDATE ota_device_status SET status = 'QUEUED', attempt = 1 WHERE rank < 30")
    await empty.pool.execute(
        "UPDATE ota_device_status SET status = 'DISPATCHED', dispatched_at = now() WHERE rank < 30"
    )
    await empty.move(campaign, "FAILED", "d0", failures=1, error_code="no_power")
    asked = datetime.now(UTC)
    told = await api.get(f"{CAMPAIGNS}/{campaign}")
    assert 27 <= told["actual_rate"] <= 30, "30 within the last 60 to 65 seconds"
    assert told["reasons"] == [{"error_code": "no_power", "devices": 1}]
    left = datetime.fromisoformat(told["eta"]) - asked
    assert timedelta(seconds=138) <= left <= timedelta(seconds=158), "70 that wait, at that pace"
    await empty.set(campaign, status="PAUSED")
    assert (await api.get(f"{CAMPAIGNS}/{campaign}"))["eta"] is None


async def test_a_campaign_that_was_not_started_has_no_pace(empty: Fleet, api: Caller) -> None:
    campaign = await empty.campaign(1, status="CREATED")
    told = await api.get(f"{CAMPAIGNS}/{campaign}")
    assert (told["actual_rate"], told["eta"], told["reasons"]) == (None, None, [])


async def test_the_history_tells_points_and_marks(empty: Fleet, api: Caller) -> None:
    campaign = await empty.campaign(3, started_at=ago(seconds=9))
    await empty.pool.execute(
        """INSERT INTO ota_campaign_timeline (campaign_id, tenant_id, at, epoch, event, reason, detail)
           VALUES ($1, $2, now(), 1, 'stage_started', NULL, '{"stage": 1}'),
                  ($1, $2, now(), 2, 'paused', 'why', '{}')""",
        campaign,
        TENANT,
    )
    told = await api.get(f"{CAMPAIGNS}/{campaign}/history")
    assert [(mark["event"], mark["stage"], mark["detail"]) for mark in told["marks"]] == [
        ("stage_started", 1, None),
        ("paused", None, "why"),
    ]
    [now] = told["points"]
    assert (now["counts"]["PENDING"], now["counts"]["SUCCESS"], told["resolution_seconds"]) == (3, 0, 1)
    other = api.as_("viewer", "other")
    assert await other.refused("GET", f"{CAMPAIGNS}/{campaign}/history") == (404, "campaign_not_found", [])


async def test_another_tenant_sees_nothing_of_all_this(empty: Fleet, api: Caller) -> None:
    await devices(empty, "a", version="2.0")
    campaign = await empty.campaign(1)
    await empty.move(campaign, "FAILED", failures=1, error_code="no_power")
    assert await api.as_("viewer", "other").get(OVERVIEW) == {
        "waiting": [], "running": [], "versions": [], "failures": [], "devices_total": 0, "heard_last_hour": 0,
    }  # fmt: skip
