"""`/customer/ota/campaigns` on the real database and Kafka, under the service's own role; no loops run here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from campaign_svc.announce import Announcer
from campaign_svc.main import build
from pulse.contracts.kafka import CONTROL, CampaignControl, decoder
from pulse.runtime import db, kafka
from pulse.runtime.kafka_cluster import Cluster
from tests.real_parts import Database, Topics
from tests.rest import Caller, caller, verifier

PATH, DEVICES, GROUPS = "/customer/ota/campaigns", "/customer/devices", "/customer/device-groups"


@pytest.fixture(scope="module")
async def api(postgres: Database, topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    folder: Path = tmp_path_factory.mktemp("auth")
    async with (
        db.pool(postgres.dsn_of("campaign_svc"), size=4) as pool,
        kafka.producer(Cluster(topics.bootstrap)) as producer,
    ):
        api = caller(build(pool, verifier(folder), Announcer(pool, producer, 2), {}))
        await add_group(api, "g", 10)
        yield api


@asynccontextmanager
async def owner(postgres: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def add_group(api: Caller, group: str, devices: int, **more: object) -> None:
    ids = [f"{group}-{n}" for n in range(devices)]
    bulk = [{"device_id": i, "device_type": "gw2"} | more for i in ids]
    await api.post(f"{DEVICES}/bulk", {"devices": bulk})
    await api.post(GROUPS, {"group_id": group, "name": group}, status=201)
    await api.post(f"{GROUPS}/{group}/members", {"device_ids": ids})


async def firmware(postgres: Database, version: str, *, tenant: str = "acme", status: str = "ACTIVE") -> int:
    async with owner(postgres) as connection:
        found: int = await connection.fetchval(
            """INSERT INTO firmware_versions (tenant_id, version, file_url, file_size_bytes, checksum_sha256,
                    device_type, created_by, status, withdrawn_at)
               VALUES ($1, $2, 'http://x/y', 9, repeat('ab', 32), 'gw2', 'me', $3,
                    CASE WHEN $3 = 'WITHDRAWN' THEN now() END) RETURNING id""",
            tenant,
            version,
            status,
        )
    return found


def campaign(firmware_id: int, **more: object) -> dict[str, object]:
    return {"name": "first", "firmware_version_id": firmware_id, "target_group_id": "g"} | more


async def created(api: Caller, postgres: Database, version: str, **more: object) -> Any:
    return await api.post(PATH, campaign(await firmware(postgres, version), **more), status=201)


async def last_control(bootstrap: str, campaign_id: int) -> CampaignControl:
    """The campaign's last record on the control topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(CONTROL.name, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[CampaignControl] = []
        while await consumer.position(partition) < end:
            records = (await consumer.getmany(partition, timeout_ms=1000)).get(partition, [])
            own = [record.value for record in records if record.key == str(campaign_id).encode()]
            found += [decoder(CampaignControl).decode(value) for value in own]
    finally:
        await consumer.stop()
    return found[-1]


async def test_a_campaign_begins_created_with_a_row_for_each_device(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "1.0")
    assert (made["status"], made["epoch"], made["total_devices"]) == ("CREATED", 0, 10)
    assert made["status_breakdown"] == {
        "PENDING": 10, "QUEUED": 0, "DISPATCHED": 0, "DOWNLOADING": 0, "INSTALLING": 0, "SUCCESS": 0, "FAILED": 0,
        "SKIPPED": 0,
    }  # fmt: skip
    defaults = {
        "rollout_strategy": "linear",
        "rollout_rate": 10,
        "abort_threshold": 0.1,
        "abort_rule": "ratio",
        "abort_min_devices": 1,
        "max_attempts": 3,
        "attempt_timeout_seconds": 3600,
        "ramp_factor": 1,
    }
    assert {name: made[name] for name in defaults} == defaults
    assert [stage["total"] for stage in made["stages"]] == [10]
    assert (made["abort_at"], made["e_value"], made["status_reason"]) == (1, None, None)
    assert await api.get(f"{PATH}/{made['id']}") == made
    assert made in (await api.get(PATH))["campaigns"]
    rows = await api.get(f"{PATH}/{made['id']}/devices", limit=3)
    assert [row["device_id"] for row in rows["devices"]] == ["g-0", "g-1", "g-2"]
    assert (rows["total"], rows["devices"][0]["status"], rows["devices"][0]["next_attempt_at"]) == (10, "PENDING", None)
    following = await api.get(f"{PATH}/{made['id']}/devices", limit=3, after=rows["next"])
    assert following["devices"][0]["device_id"] == "g-3"
    assert [entry["event"] for entry in (await api.get(f"{PATH}/{made['id']}/timeline"))["entries"]] == ["created"]


async def test_devices_of_a_campaign_can_be_asked_for_by_error_code(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "1.5")
    async with owner(postgres) as connection:
        await connection.execute(
            """UPDATE ota_device_status SET error_code = CASE device_id WHEN 'g-1' THEN 'timeout' ELSE 'low_battery' END
                WHERE campaign_id = $1 AND device_id IN ('g-1', 'g-2', 'g-7')""",
            made["id"],
        )
    found = await api.get(f"{PATH}/{made['id']}/devices", error_code="low_battery")
    assert ([row["device_id"] for row in found["devices"]], found["total"]) == (["g-2", "g-7"], 2)
    both = await api.get(f"{PATH}/{made['id']}/devices", error_code="low_battery", search="7", status="PENDING")
    assert [row["device_id"] for row in both["devices"]] == ["g-7"]


async def test_a_campaign_says_how_many_devices_wait_for_what(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "1.6")
    assert made["waiting"] == {"offline": 0, "refused": 0, "retry": 0}
    async with owner(postgres) as connection:
        await connection.execute(
            """UPDATE ota_device_status SET wait = CASE device_id WHEN 'g-1' THEN 'refused' ELSE 'offline' END
                WHERE campaign_id = $1 AND device_id IN ('g-1', 'g-2', 'g-7')""",
            made["id"],
        )
    seen = await api.get(f"{PATH}/{made['id']}")
    assert (seen["waiting"], seen["status_breakdown"]["PENDING"]) == ({"offline": 2, "refused": 1, "retry": 0}, 10)
    assert (seen["total_devices"], [stage["total"] for stage in seen["stages"]]) == (10, [10]), "nobody counts twice"
    found = await api.get(f"{PATH}/{made['id']}/devices", wait="offline")
    assert ([row["device_id"] for row in found["devices"]], found["total"]) == (["g-2", "g-7"], 2)
    first = await api.get(f"{PATH}/{made['id']}/devices", wait="offline", limit=1)
    assert (first["total"], len(first["devices"])) == (2, 1)
    [present] = (await api.get(f"{PATH}/{made['id']}/history"))["points"]
    assert sum(present["counts"].values()) == 10
    assert (await api.get(f"{PATH}/{made['id']}/devices"))["total"] == 10


async def test_devices_that_the_update_is_not_for_are_skipped_with_the_reason(api: Caller, postgres: Database) -> None:
    await add_group(api, "mixed", 6, current_version="2.0")
    others = [{"device_id": "mixed-0", "device_type": "gw9"}, {"device_id": "mixed-1", "device_type": "gw2"}]
    await api.post(f"{DEVICES}/bulk", {"devices": others})
    await api.post(f"{DEVICES}/bulk", {"devices": [others[1] | {"current_version": "1.0"}]})
    made = await created(api, postgres, "2.0", target_group_id="mixed")
    assert (made["status_breakdown"]["PENDING"], made["status_breakdown"]["SKIPPED"]) == (1, 5)
    rows = (await api.get(f"{PATH}/{made['id']}/devices", status="SKIPPED"))["devices"]
    reasons = {row["device_id"]: row["skip_reason"] for row in rows}
    assert reasons == {"mixed-0": "wrong_device_type"} | {f"mixed-{n}": "already_on_version" for n in range(2, 6)}
    assert all(row["completed_at"] for row in rows)


@pytest.mark.parametrize(
    ("stages", "totals"),
    [
        (None, [1, 99]),
        ([{"name": "a", "share": 0.07}], [7, 93]),
        ([{"name": "a", "share": 0.071}], [8, 92]),
        ([{"name": "a", "count": 5}, {"name": "b", "share": 0.29}], [5, 29, 66]),
        ([{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}], [50, 50, 0]),
        ([{"name": "a", "count": 1000}], [100, 0]),
        ([{"name": "a", "count": 90}, {"name": "b", "count": 90}], [90, 10, 0]),
    ],
)
async def test_a_canarys_stages_take_their_shares_rounded_up(
    api: Caller, postgres: Database, stages: object, totals: list[int]
) -> None:
    if (await api.ask("GET", f"{GROUPS}/hundred")).status_code == 404:
        await add_group(api, "hundred", 100)
    version = f"canary {totals} {stages}"[:90]
    made = await created(api, postgres, version, target_group_id="hundred", rollout_strategy="canary", stages=stages)
    assert [stage["total"] for stage in made["stages"]] == totals
    assert made["stages"][-1]["name"] == "everyone"


async def test_a_campaigns_sample_is_random_but_the_same_each_time(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "sample")
    async with owner(postgres) as connection:
        ranks = await connection.fetch(
            """SELECT device_id, rank, row_number() OVER (ORDER BY hashtextextended(device_id, $1)) - 1 AS again
                 FROM ota_device_status WHERE campaign_id = $1 ORDER BY device_id""",
            made["id"],
        )
    assert [row["rank"] for row in ranks] == [row["again"] for row in ranks]
    assert [row["rank"] for row in ranks] != sorted(row["rank"] for row in ranks)


@pytest.mark.parametrize(
    ("wrong", "status", "code", "field"),
    [
        ({"firmware_version_id": 999_999}, 422, "unknown_firmware", "firmware_version_id"),
        ({"target_group_id": "nobody"}, 422, "unknown_group", "target_group_id"),
        ({"target_group_id": "empty"}, 422, "empty_group", "target_group_id"),
        ({"rollout_rate": 0}, 422, "invalid", "rollout_rate"),
        ({"rollout_rate": 600_001}, 422, "invalid", "rollout_rate"),
        ({"rollout_rate": 1.5}, 422, "invalid", "rollout_rate"),
        ({"abort_threshold": 1.01}, 422, "invalid", "abort_threshold"),
        ({"abort_threshold": -0.01}, 422, "invalid", "abort_threshold"),
        ({"abort_confidence": 0.4}, 422, "invalid", "abort_confidence"),
        ({"abort_rule": "hope"}, 422, "invalid", "abort_rule"),
        ({"max_attempts": 11}, 422, "invalid", "max_attempts"),
        ({"attempt_timeout_seconds": 9}, 422, "invalid", "attempt_timeout_seconds"),
        ({"max_in_flight": 0}, 422, "invalid", "max_in_flight"),
        ({"end_at": "2026-11-24T12:00:00"}, 422, "invalid", "end_at"),
        ({"end_at": 4102444800}, 422, "invalid", "end_at"),
        ({"end_at": "4102444800"}, 422, "invalid", "end_at"),
        ({"end_at": 4102444800000.5}, 422, "invalid", "end_at"),
        ({"end_at": True}, 422, "invalid", "end_at"),
        ({"end_at": "2226-11-24"}, 422, "invalid", "end_at"),
        ({"end_at": "2226-11-24T12:00Z"}, 422, "invalid", "end_at"),
        ({"end_at": "9999-12-31T23:59:59.999999Z"}, 422, "invalid", "end_at"),
        ({"end_at": "9999-12-31T23:59:59-14:00"}, 422, "invalid", "end_at"),
        ({"end_at": "0001-01-01T00:00:00Z"}, 422, "invalid", "end_at"),
        ({"end_at": "0001-01-01T00:00:00+14:00"}, 422, "invalid", "end_at"),
        ({"end_at": "2020-01-01T00:00:00Z"}, 422, "invalid", "end_at"),
        ({"firmware_version_id": True}, 422, "invalid", "firmware_version_id"),
        ({"rollout_rate": True}, 422, "invalid", "rollout_rate"),
        ({"rollout_rate": "10"}, 422, "invalid", "rollout_rate"),
        ({"abort_threshold": True}, 422, "invalid", "abort_threshold"),
        ({"abort_threshold": "0.1"}, 422, "invalid", "abort_threshold"),
        ({"max_in_flight": True}, 422, "invalid", "max_in_flight"),
        ({"name": ""}, 422, "invalid", "name"),
        ({"name": "a\0"}, 422, "invalid", "name"),
        ({"colour": "red"}, 422, "invalid", "colour"),
        ({"stages": [{"name": "a", "share": 0.1}]}, 422, "invalid", "stages"),
        ({"rollout_strategy": "canary", "stages": []}, 422, "invalid", "stages"),
        ({"rollout_strategy": "canary", "stages": [{"name": "a"}]}, 422, "invalid", "stages.0.share"),
        (
            {"rollout_strategy": "canary", "stages": [{"name": "a", "share": 1, "count": 1}]},
            422,
            "invalid",
            "stages.0.share",
        ),
        ({"rollout_strategy": "canary", "stages": [{"name": "a", "share": 0}]}, 422, "invalid", "stages.0.share"),
        ({"rollout_strategy": "canary", "stages": [{"name": "a", "share": 0.6}] * 2}, 422, "invalid", "stages"),
    ],
)
async def test_a_wrong_campaign_is_refused_with_its_field(
    api: Caller, postgres: Database, wrong: dict[str, object], status: int, code: str, field: str
) -> None:
    await api.ask("POST", GROUPS, {"group_id": "empty", "name": "empty"})
    async with owner(postgres) as connection:
        known = await connection.fetchval("SELECT max(id) FROM firmware_versions WHERE status = 'ACTIVE'")
    known = known or await firmware(postgres, "wrong")
    before = (await api.get(PATH))["total"]
    assert await api.refused("POST", PATH, campaign(known, **wrong)) == (status, code, [field])
    assert (await api.get(PATH))["total"] == before


@pytest.mark.parametrize("written", ["+{}", "0{}", "%20{}", "{}.0", "{}%0a", "{}_0", "-{}", "1e3"])
async def test_an_id_in_a_path_is_plain_digits(api: Caller, postgres: Database, written: str) -> None:
    made = await created(api, postgres, f"plain digits {written}")
    refused = await api.refused("POST", f"{PATH}/{written.format(made['id'])}/start")
    assert refused == (422, "invalid", ["campaign_id"])


async def test_withdrawn_firmware_is_refused_at_creation_and_at_start(api: Caller, postgres: Database) -> None:
    bad = await firmware(postgres, "withdrawn", status="WITHDRAWN")
    assert await api.refused("POST", PATH, campaign(bad)) == (409, "firmware_withdrawn", ["firmware_version_id"])
    made = await created(api, postgres, "withdrawn later")
    async with owner(postgres) as connection:
        await connection.execute(
            """UPDATE firmware_versions SET status = 'WITHDRAWN', withdrawn_at = now(), withdrawn_by = 'ann@acme',
                      withdrawn_reason = 'bricks' WHERE id = $1""",
            made["firmware_version_id"],
        )
    refused = await api.ask("POST", f"{PATH}/{made['id']}/start")
    assert (refused.status_code, refused.json()["code"]) == (409, "firmware_withdrawn")
    assert refused.json()["detail"].endswith("was withdrawn by ann@acme: bricks")


@pytest.mark.parametrize("status", ["CREATED", "PAUSED", "COMPLETED"])
async def test_a_campaign_says_that_its_firmware_is_withdrawn_whatever_its_status(
    api: Caller, postgres: Database, status: str
) -> None:
    made = await created(api, postgres, f"of withdrawn firmware {status}")
    assert made["firmware_withdrawal"] is None
    async with owner(postgres) as connection:
        await connection.execute("UPDATE ota_campaigns SET status = $2 WHERE id = $1", made["id"], status)
        await connection.execute(
            """UPDATE firmware_versions SET status = 'WITHDRAWN', withdrawn_at = now(), withdrawn_by = 'ann@acme',
                      withdrawn_reason = 'bricks' WHERE id = $1""",
            made["firmware_version_id"],
        )
    seen = await api.get(f"{PATH}/{made['id']}")
    assert seen["firmware_withdrawal"].pop("at").endswith("Z")
    assert seen["firmware_withdrawal"] == {"by": "ann@acme", "reason": "bricks"}


async def test_control_changes_raise_the_epoch_and_reach_kafka_before_the_answer(
    api: Caller, postgres: Database, topics: Topics
) -> None:
    made = await created(api, postgres, "control")
    path = f"{PATH}/{made['id']}"
    started = await api.post(f"{path}/start", {"reason": "go"})
    assert (started["status"], started["epoch"], started["control"]) == ("RUNNING", 1, "announced")
    assert started["started_at"] is not None
    assert started["stages"][0]["status"] == "RUNNING"
    record = await last_control(topics.bootstrap, made["id"])
    assert (record.tenant_id, record.epoch, record.status) == ("acme", 1, "RUNNING")
    paused = await api.post(f"{path}/pause", {"reason": "look"})
    assert (paused["status"], paused["epoch"]) == ("PAUSED", 2)
    assert paused["status_reason"] | {"at": None} == {
        "code": "operator",
        "detail": "look",
        "by": "operator@acme",
        "at": None,
    }
    faster = await api.ask("PATCH", path, {"rollout_rate": 600})
    assert (faster.status_code, faster.json()["rollout_rate"], faster.json()["epoch"]) == (200, 600, 3)
    assert faster.json()["stages"][0]["rollout_rate"] == 600
    assert faster.json()["status_reason"]["detail"] == "look"
    resumed = await api.post(f"{path}/start")
    assert (resumed["status"], resumed["epoch"], resumed["status_reason"]) == ("RUNNING", 4, None)
    assert resumed["started_at"] == started["started_at"]
    aborted = await api.post(f"{path}/abort", {"reason": "bad"})
    assert (aborted["status"], aborted["epoch"], aborted["completed_at"]) == ("ABORTED", 5, None)
    record = await last_control(topics.bootstrap, made["id"])
    assert (record.epoch, record.status) == (5, "ABORTED")
    entries = (await api.get(f"{path}/timeline"))["entries"]
    assert [(entry["epoch"], entry["event"]) for entry in entries] == [
        (0, "created"), (1, "started"), (2, "paused"), (3, "rate_changed"), (4, "resumed"), (5, "aborted"),
    ]  # fmt: skip
    assert {entry["by"] for entry in entries} == {"operator@acme"}


async def test_acts_that_do_not_fit_the_state_are_conflicts_and_change_nothing(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "states")
    path = f"{PATH}/{made['id']}"
    assert (await api.refused("POST", f"{path}/pause"))[:2] == (409, "wrong_state")
    changed = await api.ask("PATCH", path, {"rollout_rate": 20})
    assert (changed.status_code, changed.json()["epoch"], changed.json()["control"]) == (200, 0, None)
    await api.post(f"{path}/start")
    assert (await api.refused("POST", f"{path}/start"))[:2] == (409, "wrong_state")
    assert (await api.as_("admin").refused("DELETE", path))[:2] == (409, "wrong_state")
    await api.post(f"{path}/abort")
    for act in ("start", "pause", "abort"):
        assert (await api.refused("POST", f"{path}/{act}"))[:2] == (409, "wrong_state")
    assert (await api.refused("PATCH", path, {"rollout_rate": 20}))[:2] == (409, "wrong_state")
    assert (await api.get(path))["epoch"] == 2
    assert await api.refused("PATCH", path, {"rollout_rate": 0}) == (422, "invalid", ["rollout_rate"])
    assert await api.refused("PATCH", path, {"name": "x"}) == (422, "invalid", ["rollout_rate", "name"])


async def test_a_campaign_that_never_started_can_be_deleted_with_all_its_rows(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "deleted")
    path = f"{PATH}/{made['id']}"
    assert (await api.refused("DELETE", path))[:2] == (403, "forbidden")
    assert (await api.as_("admin").ask("DELETE", path)).status_code == 204
    assert (await api.refused("GET", path))[:2] == (404, "campaign_not_found")
    async with owner(postgres) as connection:
        for table in ("ota_device_status", "ota_campaign_counters", "ota_campaign_stages", "ota_campaign_timeline"):
            assert not await connection.fetchval(f"SELECT count(*) FROM {table} WHERE campaign_id = $1", made["id"])


async def test_lists_are_filtered_by_status_name_and_firmware(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "filters", name="Winter 100%")
    by_name = await api.get(PATH, search="ter 100%", status="CREATED")
    assert [found["id"] for found in by_name["campaigns"]] == [made["id"]]
    by_firmware = await api.get(PATH, firmware_version_id=made["firmware_version_id"])
    assert (by_firmware["total"], by_firmware["campaigns"]) == (1, [made])
    assert (await api.get(PATH, firmware_version_id=made["firmware_version_id"], status="PAUSED"))["total"] == 0
    status, _, fields = await api.refused("GET", PATH, status="SLEEPING")
    assert (status, fields) == (422, ["status"])


async def test_another_tenants_campaign_is_not_there_for_any_act(api: Caller, postgres: Database) -> None:
    made = await created(api, postgres, "mine")
    foreign = api.as_("admin", "other")
    path = f"{PATH}/{made['id']}"
    acts = [("GET", path, None), ("DELETE", path, None), ("PATCH", path, {"rollout_rate": 9}),
            ("POST", f"{path}/start", {}), ("POST", f"{path}/pause", {}), ("POST", f"{path}/abort", {}),
            ("GET", f"{path}/devices", None), ("GET", f"{path}/timeline", None)]  # fmt: skip
    for method, where, body in acts:
        assert (await foreign.refused(method, where, body))[:2] == (404, "campaign_not_found"), (method, where)
    assert (await foreign.get(PATH))["total"] == 0
    wrong = campaign(made["firmware_version_id"])
    assert (await foreign.refused("POST", PATH, wrong))[:2] == (422, "unknown_firmware")
    assert (await api.get(path))["status"] == "CREATED"


async def test_groups_and_devices_of_a_campaign_that_is_not_finished_stay(api: Caller, postgres: Database) -> None:
    await add_group(api, "kept", 1)
    made = await created(api, postgres, "kept", target_group_id="kept")
    admin = api.as_("admin")
    assert (await admin.refused("DELETE", f"{GROUPS}/kept"))[:2] == (409, "group_in_use")
    assert (await admin.refused("DELETE", f"{DEVICES}/kept-0"))[:2] == (409, "device_active")
    updates = (await api.get(f"{DEVICES}/kept-0"))["updates"]
    assert [(u["campaign_id"], u["version"], u["status"]) for u in updates] == [(made["id"], "kept", "PENDING")]
    await api.post(f"{PATH}/{made['id']}/abort")
    assert (await admin.ask("DELETE", f"{GROUPS}/kept")).status_code == 204
