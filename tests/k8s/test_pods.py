"""Pods are what Pod Security "restricted" asks for, are probed where the programs answer, and stop cleanly."""

from urllib.parse import urlsplit

import pytest

from catalog_svc.main import build
from local_stack.layout import ROOT
from pulse.runtime.process import STOP_SECONDS
from tests.k8s.manifests import SERVICES, Manifests, selects

IMAGES = (*SERVICES, "gateway", "setup")
USER = 10001


def test_the_namespace_refuses_what_is_not_restricted(manifests: Manifests) -> None:
    labels = manifests.get("Namespace", "pulse-ota")["metadata"]["labels"]
    for mode in ("enforce", "warn", "audit"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


def test_everything_is_in_the_namespace(manifests: Manifests) -> None:
    places = {each["metadata"].get("namespace") for each in manifests.resources if each["kind"] != "Namespace"}
    assert places == {"pulse-ota"}


def test_every_pod_is_restricted(manifests: Manifests) -> None:
    for workload in manifests.workloads():
        pod, container = workload.pod["securityContext"], workload.container["securityContext"]
        assert (pod["runAsNonRoot"], pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]) == (True, USER, USER, USER)
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["allowPrivilegeEscalation"] is False
        assert container["readOnlyRootFilesystem"] is True
        assert container["capabilities"] == {"drop": ["ALL"]}
        assert workload.pod["automountServiceAccountToken"] is False
        assert all({"name", "secret"} >= {*v} or {*v} & {"configMap", "emptyDir"} for v in workload.pod["volumes"])


def test_secret_files_are_readable_for_the_group_of_the_pod_and_nobody_else(manifests: Manifests) -> None:
    for workload in manifests.workloads():
        for volume in workload.pod["volumes"]:
            assert "secret" not in volume or volume["secret"]["defaultMode"] == 0o440


@pytest.mark.parametrize("name", SERVICES)
def test_probes_ask_what_the_services_answer(manifests: Manifests, name: str) -> None:
    asked = {kind: urlsplit(probe["path"]) for kind, probe in manifests.workload(name).probes().items()}
    paths = {kind: url.path for kind, url in asked.items()}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    answered = {getattr(route, "path", None) for route in build(None, None).routes}
    assert set(paths.values()) < answered
    excluded = "exclude=kafka" if name == "campaign-svc" else ""
    assert {url.query for url in asked.values()} == {"", excluded}, "a pause is taken without Kafka, too"


def test_the_gateway_is_probed_where_it_answers(manifests: Manifests) -> None:
    probes = manifests.workload("gateway").probes()
    assert {probe["path"] for probe in probes.values()} == {"/healthz"}
    assert len(probes) == 3
    assert "handle /healthz" in (ROOT / "deploy" / "gateway" / "Caddyfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_a_stop_is_awaited_to_its_end(manifests: Manifests, name: str) -> None:
    workload = manifests.workload(name)
    asleep = workload.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert workload.pod["terminationGracePeriodSeconds"] > asleep + STOP_SECONDS + 1


def test_only_pods_behind_a_service_wait_until_nobody_sends_them_anything(manifests: Manifests) -> None:
    asleep = {workload.name for workload in manifests.workloads() if "lifecycle" in workload.container}
    assert asleep == {service["metadata"]["name"] for service in manifests.all("Service")}


def test_a_roll_out_never_takes_a_pod_away_before_the_next_is_ready(manifests: Manifests) -> None:
    for deployment in manifests.all("Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        assert "replicas" not in deployment["spec"], "applying again would undo what was scaled"


def test_one_pod_at_a_time_may_be_disrupted(manifests: Manifests) -> None:
    budgets = {budget["metadata"]["name"]: budget["spec"] for budget in manifests.all("PodDisruptionBudget")}
    assert budgets.keys() == {*SERVICES, "gateway"}
    for name, budget in budgets.items():
        assert budget["maxUnavailable"] == 1
        chosen = [pod.name for pod in manifests.workloads() if selects(budget["selector"], pod.labels)]
        assert chosen == [name]


def test_every_selector_finds_its_own_pods_only(manifests: Manifests) -> None:
    for kind in ("Service", "Deployment"):
        for resource in manifests.all(kind):
            selector = resource["spec"]["selector"]
            labels = selector if kind == "Service" else selector["matchLabels"]
            found = [pod.name for pod in manifests.workloads() if selects({"matchLabels": labels}, pod.labels)]
            assert found == [resource["metadata"]["name"]]


def test_pods_of_a_service_are_spread_over_nodes_and_zones(manifests: Manifests) -> None:
    for deployment in manifests.all("Deployment"):
        spreads = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [s["topologyKey"] for s in spreads] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        for spread in spreads:
            assert spread["labelSelector"] == deployment["spec"]["selector"]


def test_memory_is_bounded_and_processor_time_is_not(manifests: Manifests) -> None:
    """A throttled dispatcher would hold for want of fresh knowledge."""
    for workload in manifests.workloads():
        assert workload.container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert workload.container["resources"]["limits"].keys() == {"memory"}


def test_images_are_ours_with_a_version(manifests: Manifests) -> None:
    images = {workload.name: workload.container["image"] for workload in manifests.workloads()}
    assert images.keys() == {*IMAGES}
    built = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    for name, image in images.items():
        repository, _, tag = image.rpartition(":")
        assert repository in {f"pulse-ota/{name}", f"registry.example.com/pulse-ota/{name}"}
        assert tag == "0.1.0"
        assert f"image: pulse-ota/{name}:" in built, f"deploy/compose.yaml says how {name} is built"
