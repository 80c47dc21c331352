"""Components that no overlay has switched on do what they say when one does."""

from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest

from tests.k8s.manifests import SERVICES, Manifests, render
from tests.k8s.test_network import outside
from tests.k8s.test_schemas import NEWEST


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
