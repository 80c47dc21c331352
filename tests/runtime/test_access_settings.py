"""Settings of Kafka's and the broker's security that cannot be right are refused by name, before anything is tried."""

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from pulse.runtime.errors import StartRefused
from pulse.runtime.kafka_settings import KafkaSettings
from pulse.runtime.mqtt_settings import BrokerSettings
from pulse.runtime.settings import ServiceSettings, load
from tests.certificates import Authority

SECRET = "s3cr3t"
SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "pulse",
    "KAFKA_SASL_PASSWORD": SECRET,
}
OAUTH = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_OAUTH_TOKEN_URL": "https://id.example.com/token",
    "KAFKA_OAUTH_CLIENT_ID": "pulse",
    "KAFKA_OAUTH_CLIENT_SECRET": SECRET,
}
BOOTSTRAP = {"KAFKA_BOOTSTRAP": "kafka:9092"}
BROKER = {"MQTT_HOST": "mosquitto"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("KAFKA_", "MQTT_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def line(monkeypatch: pytest.MonkeyPatch, kind: type[ServiceSettings], given: dict[str, str]) -> str:
    """Why a process with these settings does not start."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartRefused) as refused:
        load(kind)
    said = str(refused.value)
    assert said.startswith("settings: ")
    assert SECRET not in said
    assert "\n" not in said
    return said


def kafka(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> str:
    return line(monkeypatch, KafkaSettings, BOOTSTRAP | given)


def without(given: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if name not in names}


@pytest.mark.parametrize("name", ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SASL_MECHANISM"])
def test_sasl_needs_mechanism_user_and_password(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert f"{name} is missing" in kafka(monkeypatch, without(SASL, name))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_user_needs_a_protocol_with_sasl(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    said = kafka(monkeypatch, SASL | {"KAFKA_SECURITY_PROTOCOL": protocol})
    for name in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
        assert f"{name} is given, but KAFKA_SECURITY_PROTOCOL is {protocol}" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("KAFKA_SASL_MECHANISM", "scram-sha-512"),
        ("KAFKA_OAUTH_TOKEN_URL", f"https://pulse:{SECRET}@id.example.com/token"),
        ("KAFKA_OAUTH_TOKEN_URL", "id.example.com/token"),
        ("KAFKA_OAUTH_EXTENSIONS", "logicalCluster"),
        ("KAFKA_OAUTH_EXTENSIONS", "logicalCluster=lkc-1 identityPoolId=x"),
        ("KAFKA_CA_FILE", "/nowhere/ca.crt"),
    ],
)
def test_a_value_that_nothing_knows_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert f"{name}: " in kafka(monkeypatch, OAUTH | {name: value})


@pytest.mark.parametrize("name", ["KAFKA_OAUTH_CLIENT_ID", "KAFKA_OAUTH_CLIENT_SECRET"])
def test_a_token_endpoint_needs_a_client(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert f"{name} is missing" in kafka(monkeypatch, without(OAUTH, name))


def test_a_token_comes_from_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "KAFKA_OAUTH_TOKEN_URL and KAFKA_OAUTH_TOKEN_FILE are given" in kafka(
        monkeypatch, OAUTH | {"KAFKA_OAUTH_TOKEN_FILE": "/token"}
    )
    monkeypatch.delenv("KAFKA_OAUTH_TOKEN_FILE")
    for name in [name for name in OAUTH if "OAUTH_" in name]:
        monkeypatch.delenv(name)
    bare = {name: value for name, value in OAUTH.items() if "OAUTH_" not in name}
    assert "KAFKA_OAUTH_TOKEN_URL or KAFKA_OAUTH_TOKEN_FILE is missing" in kafka(monkeypatch, bare)


def test_a_password_and_a_token_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "KAFKA_SASL_USERNAME is given, but KAFKA_SASL_MECHANISM is OAUTHBEARER" in kafka(
        monkeypatch, OAUTH | {"KAFKA_SASL_USERNAME": "pulse"}
    )
    said = kafka(monkeypatch, OAUTH | SASL)
    assert "KAFKA_OAUTH_CLIENT_SECRET is given, but KAFKA_SASL_MECHANISM is SCRAM-SHA-512" in said


def test_files_of_tls_need_a_protocol_with_tls(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    said = kafka(
        monkeypatch, SASL | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_CA_FILE": str(authority.file)}
    )
    assert "KAFKA_CA_FILE is given, but KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT" in said


@dataclass(frozen=True, slots=True)
class Side:
    """Kafka or the broker: the same rules for the client certificate at both."""

    prefix: str
    kind: type[ServiceSettings]
    given: dict[str, str]
    monkeypatch: pytest.MonkeyPatch

    def line(self, certificate: Path | None, key: Path | None) -> str:
        """Why a process with these files does not start."""
        for name, file in ((f"{self.prefix}_CERT_FILE", certificate), (f"{self.prefix}_KEY_FILE", key)):
            self.monkeypatch.delenv(name, raising=False)
            if file is not None:
                self.monkeypatch.setenv(name, str(file))
        return line(self.monkeypatch, self.kind, self.given)


@pytest.fixture(params=["KAFKA", "MQTT"])
def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Side:
    if request.param == "MQTT":
        return Side("MQTT", BrokerSettings, BROKER, monkeypatch)
    return Side("KAFKA", KafkaSettings, BOOTSTRAP | {"KAFKA_SECURITY_PROTOCOL": "SSL"}, monkeypatch)


def test_a_certificate_and_its_key_belong_together(side: Side, authority: Authority) -> None:
    pair = authority.client("pulse")
    for certificate, key in ((pair.certificate, None), (None, pair.key)):
        said = side.line(certificate, key)
        assert f"{side.prefix}_CERT_FILE and {side.prefix}_KEY_FILE belong together" in said


def test_another_s_key_is_refused(side: Side, authority: Authority) -> None:
    one, other = authority.client("pulse"), authority.client("pulse")
    said = side.line(one.certificate, other.key)
    assert f"{side.prefix}_KEY_FILE: {other.key} does not fit the certificate in {side.prefix}_CERT_FILE" in said


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_passphrase(side: Side, authority: Authority) -> None:
    pair = authority.client("pulse", passphrase=SECRET)
    said = side.line(pair.certificate, pair.key)
    assert f"{side.prefix}_KEY_FILE: the key in {pair.key} is encrypted" in said


def test_a_certificate_whose_time_is_over_is_refused(side: Side, authority: Authority) -> None:
    pair = authority.client("pulse", ends_in=dt.timedelta(hours=-1))
    said = side.line(pair.certificate, pair.key)
    assert f"{side.prefix}_CERT_FILE: the certificate in {pair.certificate} ended at " in said


def test_files_that_hold_something_else_are_refused(side: Side, authority: Authority) -> None:
    pair = authority.client("pulse")
    assert f"_CERT_FILE: {pair.key} holds no certificate that can be read" in side.line(pair.key, pair.key)
    assert f"_KEY_FILE: {pair.certificate} holds no private key" in side.line(pair.certificate, pair.certificate)
    assert f"{side.prefix}_KEY_FILE: /nowhere cannot be read" in side.line(pair.certificate, Path("/nowhere"))


def test_a_password_at_the_broker_needs_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MQTT_USER is missing" in line(monkeypatch, BrokerSettings, BROKER | {"MQTT_PASSWORD": SECRET})


def test_a_protocol_at_the_broker_needs_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MQTT_ALPN is given" in line(monkeypatch, BrokerSettings, BROKER | {"MQTT_ALPN": "x-amzn-mqtt-ca"})


def test_a_certificate_alone_turns_tls_on_at_the_broker(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    pair = authority.client("pulse")
    files = {"MQTT_CERT_FILE": str(pair.certificate), "MQTT_KEY_FILE": str(pair.key)}
    for name, value in (BROKER | files).items():
        monkeypatch.setenv(name, value)
    assert load(BrokerSettings).mqtt_tls is not None


def test_secrets_come_from_files_and_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    given = without(SASL, "KAFKA_SASL_PASSWORD") | {"KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")}
    for name, value in (BOOTSTRAP | given).items():
        monkeypatch.setenv(name, value)
    settings = load(KafkaSettings)
    assert settings.kafka.password == SECRET
    assert SECRET not in repr(settings) + repr(settings.kafka)


def test_every_client_of_a_process_has_the_same_token_source(monkeypatch: pytest.MonkeyPatch) -> None:
    extensions = {"KAFKA_OAUTH_EXTENSIONS": "logicalCluster=lkc-1,identityPoolId=pool-2"}
    for name, value in (BOOTSTRAP | OAUTH | extensions).items():
        monkeypatch.setenv(name, value)
    settings = load(KafkaSettings)
    assert settings.kafka.tokens is settings.kafka.tokens is not None
    assert settings.kafka.tokens.extensions() == {"logicalCluster": "lkc-1", "identityPoolId": "pool-2"}
