"""The services as parts: which processes, on which ports, with which environment."""

from dataclasses import replace
from pathlib import Path

import pytest

from local_stack import tokens
from local_stack.errors import StackError
from local_stack.kafka import Kafka, cluster
from local_stack.mosquitto import Mosquitto
from local_stack.postgres import Postgres
from local_stack.services import Foundations, Replica, replicas
from local_stack.settings import StackSettings, load


@pytest.fixture
def base(tmp_path: Path) -> Foundations:
    secrets = tmp_path / "secrets"
    return Foundations(
        Postgres(tmp_path / "postgres", 1, secrets / "postgres"),
        (Kafka(tmp_path / "kafka", 2, 3),),
        Mosquitto(tmp_path, 4, secrets),
        secrets,
    )


def by_name(settings: StackSettings) -> dict[str, Replica]:
    return {replica.name: replica for replica in replicas(settings)}


def test_each_kind_has_as_many_processes_as_asked_for_on_ports_of_its_own() -> None:
    found = by_name(StackSettings(catalogs=2, campaigns=1, dispatchers=3, ingests=0, port_offset=50))
    assert {name: replica.port for name, replica in found.items()} == {
        "catalog-svc-1": 18150,
        "catalog-svc-2": 18151,
        "campaign-svc-1": 18170,
        "dispatcher-svc-1": 18190,
        "dispatcher-svc-2": 18191,
        "dispatcher-svc-3": 18192,
    }


def test_each_service_gets_what_it_needs_and_no_other_role_s_password(base: Foundations) -> None:
    given = {name: replica.part(base).environment for name, replica in by_name(StackSettings()).items()}
    shared = {"HTTP_HOST", "HTTP_PORT"}
    mqtt = {"MQTT_HOST", "MQTT_PORT", "MQTT_USER", "MQTT_PASSWORD_FILE", "KAFKA_BOOTSTRAP"}
    auth = {"AUTH_KEY_FILE", "AUTH_ISSUER"}
    assert set(given["catalog-svc-1"]) == shared | auth | {"POSTGRES_DSN", "FILE_CHECK_NETWORKS"}
    assert set(given["campaign-svc-1"]) == shared | auth | {"POSTGRES_DSN", "LOOPS_POSTGRES_DSN", "KAFKA_BOOTSTRAP"}
    assert given["catalog-svc-1"]["AUTH_ISSUER"] == given["campaign-svc-1"]["AUTH_ISSUER"] == tokens.ISSUER
    assert set(given["dispatcher-svc-1"]) == shared | mqtt
    assert set(given["status-ingest-svc-1"]) == shared | mqtt | {"POSTGRES_DSN", "MQTT_GROUP"}
    assert given["campaign-svc-1"]["POSTGRES_DSN"].startswith("postgresql://campaign_svc:")
    assert given["campaign-svc-1"]["LOOPS_POSTGRES_DSN"].startswith("postgresql://campaign_loops:")
    assert given["dispatcher-svc-1"]["MQTT_USER"] == "svc-dispatcher"
    assert given["status-ingest-svc-1"]["MQTT_USER"] == "svc-ingest"


def test_several_nodes_of_kafka_know_one_another_and_are_all_told_to_the_services(base: Foundations) -> None:
    nodes = cluster(Path("/kafka"), StackSettings(kafkas=3).kafka_ports())
    assert [(node.name, node.port, node.controller_port) for node in nodes] == [
        ("kafka-1", 19092, 19093),
        ("kafka-2", 19094, 19095),
        ("kafka-3", 19096, 19097),
    ]
    settings = nodes[1].properties().splitlines()
    assert "controller.quorum.voters=1@127.0.0.1:19093,2@127.0.0.1:19095,3@127.0.0.1:19097" in settings
    assert {"node.id=2", "offsets.topic.replication.factor=3", "min.insync.replicas=2"} < set(settings)
    several = replace(base, kafkas=nodes)
    assert several.for_dispatcher()["KAFKA_BOOTSTRAP"] == "127.0.0.1:19092,127.0.0.1:19094,127.0.0.1:19096"
    assert several.for_setup()["KAFKA_REPLICATION"] == "3"


def test_an_identity_provider_of_the_caller_replaces_the_stack_s_key(
    base: Foundations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_JWKS_URL", "http://127.0.0.1/keys")
    given = by_name(StackSettings())["catalog-svc-1"].part(base).environment
    assert not {"AUTH_KEY_FILE", "AUTH_ISSUER"} & set(given)


def test_settings_come_from_the_environment_and_say_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHERS", "3")
    monkeypatch.setenv("RESTART", "0")
    assert (load().dispatchers, load().restart) == (3, False)
    monkeypatch.setenv("INGESTS", "many")
    monkeypatch.setenv("GATEWAY_PORT", "0")
    with pytest.raises(StackError, match=r"^settings: GATEWAY_PORT: .*; INGESTS: "):
        load()


def test_settings_reach_another_process_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = StackSettings(
        run_dir=Path("/tmp/somewhere"), port_offset=7, gateway_port=8080, restart=False, dispatchers=3
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load() == settings
    assert load().in_force() == settings.in_force()
