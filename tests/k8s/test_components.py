"""Components that no overlay has switched on do what they say when one does."""

from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import kubernetes_validate
import pytest

from pulse.runtime.kafka_settings import KafkaSettings
from pulse.runtime.mqtt_settings import BrokerSettings
from pulse.runtime.settings import ServiceSettings, load
from tests.certificates import Authority
from tests.k8s.manifests import SERVICES, Manifests, render
from tests.k8s.test_network import outside
from tests.k8s.test_schemas import NEWEST
from tests.k8s.test_settings import PROGRAMS, known


def overlay(deployment: Path, component: str) -> Manifests:
    """The small overlay with one component more."""
    folder = deployment / "overlays" / f"small-with-{component}"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        f"resources: [../small]\ncomponents: [../../components/{component}]\nnamespace: pulse-ota\n", encoding="utf-8"
    )
    return render(folder)


@pytest.fixture(scope="module")
def tracing(deployment: Path) -> Manifests:
    return overlay(deployment, "tracing")


@pytest.mark.parametrize("name", [*SERVICES, "gateway", "setup"])
def test_the_four_services_send_traces_where_they_are_let(tracing: Manifests, name: str) -> None:
    workload = tracing.workload(name)
    endpoint = tracing.environment(workload).get("OTEL_EXPORTER_OTLP_ENDPOINT")
    assert (endpoint is not None) == (name in SERVICES)
    assert endpoint is None or urlsplit(endpoint).port in outside(tracing, workload)
    assert endpoint is not None or 4318 not in outside(tracing, workload)


def test_an_ingress_leads_to_the_gateway(deployment: Path) -> None:
    manifests = overlay(deployment, "ingress")
    ingress = manifests.get("Ingress", "gateway")
    kubernetes_validate.validate(ingress, NEWEST, strict=True)
    [rule] = ingress["spec"]["rules"]
    [path] = rule["http"]["paths"]
    service = manifests.get("Service", path["backend"]["service"]["name"])
    assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


@pytest.fixture(scope="module")
def kafka_access(deployment: Path) -> Manifests:
    return overlay(deployment, "kafka-access")


@pytest.fixture(scope="module")
def mqtt_certificate(deployment: Path) -> Manifests:
    return overlay(deployment, "mqtt-certificate")


def settings_of(
    manifests: Manifests, name: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> ServiceSettings:
    """As the program reads them, with `files` for those in the Secrets that the component names."""
    workload = manifests.workload(name)
    mounted = {mount["name"]: mount["mountPath"] for mount in workload.container["volumeMounts"]}
    for variable, value in manifests.environment(workload).items():
        if value in files:
            assert any(value.startswith(f"{path}/") for path in mounted.values()), f"{value} is in no volume"
            (folder / variable).write_text(files[value], encoding="utf-8")
            value = str(folder / variable)
        if value.startswith(str(folder)) or not variable.endswith("_FILE"):
            monkeypatch.setenv(variable, value)
    monkeypatch.setenv("POSTGRES_DSN", "postgresql://nobody@nowhere/iotcloud")
    monkeypatch.setenv("LOOPS_POSTGRES_DSN", "postgresql://nobody@nowhere/iotcloud")
    return load(PROGRAMS[name])


@pytest.mark.parametrize("name", ["campaign-svc", "dispatcher-svc", "status-ingest-svc", "setup"])
def test_whoever_uses_kafka_comes_over_tls_with_a_password(
    kafka_access: Manifests, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    access = "/etc/pulse-ota/kafka-access"
    files = {f"{access}/password": "a password", f"{access}/ca.crt": Authority(tmp_path / "ca").file.read_text()}
    workload = kafka_access.workload(name)
    assert workload.volume("kafka-access")["secret"]["secretName"] == "kafka-access"
    assert kafka_access.environment(workload).keys() <= known(PROGRAMS[name])
    cluster = cast("KafkaSettings", settings_of(kafka_access, name, files, monkeypatch, tmp_path)).kafka
    assert (cluster.protocol, cluster.mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (cluster.username, cluster.password) == ("pulse-ota", "a password")


def test_who_does_not_use_kafka_has_no_access_to_it(kafka_access: Manifests) -> None:
    for name in ("catalog-svc", "gateway"):
        assert "kafka-access" not in {volume["name"] for volume in kafka_access.workload(name).pod["volumes"]}


@pytest.mark.parametrize("name", ["dispatcher-svc", "status-ingest-svc"])
def test_the_broker_knows_the_services_by_their_certificates(
    mqtt_certificate: Manifests, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.client("svc")
    shown = "/etc/pulse-ota/mqtt-certificate"
    files = {
        f"{shown}/tls.crt": pair.certificate.read_text(),
        f"{shown}/tls.key": pair.key.read_text(),
        "/etc/pulse-ota/mqtt-ca/ca.crt": authority.file.read_text(),
    }
    workload = mqtt_certificate.workload(name)
    assert workload.volume("mqtt-certificate")["secret"]["secretName"] == f"{name}-mqtt"
    settings = cast("BrokerSettings", settings_of(mqtt_certificate, name, files, monkeypatch, tmp_path))
    assert settings.mqtt_cert_file is not None
    assert (settings.mqtt_user, settings.mqtt_password) == (None, None)
