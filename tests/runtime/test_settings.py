"""Settings that cannot be right are refused before anything is connected to, and by their names."""

import pytest

from pulse.runtime.errors import StartRefused
from pulse.runtime.settings import Bootstrap, Dsn, Host, ServiceSettings, load


class Settings(ServiceSettings):
    postgres_dsn: Dsn = "postgresql://iot@db/iotcloud"
    kafka_bootstrap: Bootstrap = "kafka:9092"
    mqtt_host: Host = "mosquitto"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://iot:secret@db:5432/iotcloud?sslmode=require",
        "postgres://iot@db/iotcloud",
        "postgresql://[::1]:5432/iotcloud",
        "postgresql:///iotcloud?host=/run/postgresql",
        "postgresql://iot@one:5432,two:5433/iotcloud",
    ],
)
def test_addresses_of_databases(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("POSTGRES_DSN", dsn)
    assert load(Settings).postgres_dsn == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "secret",
        "http://secret@db/iotcloud",
        "postgresql://secret@db",
        "postgresql://iot:secret@db:x/iotcloud",
        "postgresql://iot:secret@db:99999/iotcloud",
        "postgresql://iot:secret#x@db/iotcloud",
        "postgresql://iot:secret?x@db/iotcloud",
    ],
)
def test_a_wrong_address_of_a_database_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setenv("POSTGRES_DSN", dsn)
    with pytest.raises(StartRefused) as refused:
        load(Settings)
    assert str(refused.value) == (
        "settings: POSTGRES_DSN: Value error, must be postgresql://user:password@host:port/database, "
        "with %23 for a # and %3F for a ?"
    )


@pytest.mark.parametrize("servers", ["kafka:9092", "k1:9092,k2:9092,k3:9092", "[::1]:9092", "10.0.0.1:9092"])
def test_addresses_of_kafka(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", servers)
    assert load(Settings).kafka_bootstrap == servers


@pytest.mark.parametrize(
    "servers", ["kafka", "k1:9092, k2:9092", "k1:9092,", "kafka://k1:9092", "::1:9092", "k1:port", "k1:0", "a.."]
)
def test_a_wrong_address_of_kafka_is_refused(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", servers)
    with pytest.raises(StartRefused, match=r"^settings: KAFKA_BOOTSTRAP: .*host:port"):
        load(Settings)


@pytest.mark.parametrize("host", ["mqtt://broker", "broker:1883", "h..st", ".", "x" * 64, "[::1]", "user@broker"])
def test_a_broker_is_named_without_scheme_and_port(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("MQTT_HOST", host)
    with pytest.raises(StartRefused, match=r"^settings: MQTT_HOST: "):
        load(Settings)


@pytest.mark.parametrize("host", ["mosquitto", "status-ingest_svc.pulse-ota.svc.cluster.local.", "10.0.0.1", "::1"])
def test_names_and_addresses_of_a_broker(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("MQTT_HOST", host)
    assert load(Settings).mqtt_host == host
