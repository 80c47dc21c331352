"""Pods reach what they need and nothing else: the policies are read as a cluster reads them."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import pytest

from pulse.runtime.settings import ServiceSettings
from tests.k8s.manifests import SERVICES, Manifests, Resource, Secrets, Workload, selects

HTTP, GATEWAY, POSTGRES, KAFKA, MQTT, HTTPS, PLAIN = 8000, 8080, 5432, 9092, 8883, 443, 80
NEEDED = {
    "catalog-svc": {POSTGRES, HTTPS, PLAIN},
    "campaign-svc": {POSTGRES, KAFKA, HTTPS},
    "dispatcher-svc": {KAFKA, MQTT},
    "status-ingest-svc": {POSTGRES, KAFKA, MQTT},
    "setup": {POSTGRES, KAFKA},
    "gateway": set[int](),
}
"""Beyond names (port 53) and what pods ask of one another."""


def policies(manifests: Manifests, pod: Workload, direction: str) -> Iterator[Resource]:
    for policy in manifests.all("NetworkPolicy"):
        if selects(policy["spec"]["podSelector"], pod.labels) and direction.title() in policy["spec"]["policyTypes"]:
            yield policy


def rules(manifests: Manifests, pod: Workload, direction: str, peers: str) -> Iterator[tuple[Resource, set[int]]]:
    """Every peer that a pod may talk to, with the TCP ports."""
    for policy in policies(manifests, pod, direction):
        for rule in policy["spec"].get(direction, []):
            for peer in rule[peers]:
                yield peer, {port["port"] for port in rule["ports"] if port["protocol"] == "TCP"}


def outside(manifests: Manifests, pod: Workload) -> set[int]:
    """The ports on which it may open connections to what is not in the namespace."""
    ports = [
        ports for peer, ports in rules(manifests, pod, "egress", "to") if {"namespaceSelector", "ipBlock"} & {*peer}
    ]
    return set().union(*ports)


def allows(manifests: Manifests, pod: Workload, other: Workload, direction: str, peers: str) -> set[int]:
    """The ports on which one side's policies let the two pods talk."""
    found = [
        ports
        for peer, ports in rules(manifests, pod, direction, peers)
        if "namespaceSelector" not in peer and "podSelector" in peer and selects(peer["podSelector"], other.labels)
    ]
    return set().union(*found)


def test_every_pod_is_closed_both_ways_unless_a_policy_opens_it(manifests: Manifests) -> None:
    deny = manifests.get("NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_pods_of_the_namespace_reach_one_another_only_where_the_gateway_asks_the_rest_services(
    manifests: Manifests,
) -> None:
    pods = list(manifests.workloads())
    open_ways = {
        (source.name, target.name, port)
        for source in pods
        for target in pods
        for port in allows(manifests, source, target, "egress", "to")
        & allows(manifests, target, source, "ingress", "from")
    }
    assert open_ways == {("gateway", "catalog-svc", HTTP), ("gateway", "campaign-svc", HTTP)}


def test_each_pod_reaches_outside_exactly_what_it_uses(manifests: Manifests) -> None:
    reached = {pod.name: outside(manifests, pod) - {53} for pod in manifests.workloads()}
    assert reached == NEEDED


@pytest.mark.parametrize(
    "ip", ["10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "127.0.0.1", "fd00::1", "::1"]
)
def test_files_are_asked_for_in_public_networks_only(manifests: Manifests, ip: str) -> None:
    [rule] = manifests.get("NetworkPolicy", "to-files")["spec"]["egress"]
    blocks = [peer["ipBlock"] for peer in rule["to"]]
    for block in blocks:
        inside = ip_address(ip) in ip_network(block["cidr"])
        assert not inside or any(ip_address(ip) in ip_network(other) for other in block.get("except", ()))
    for public in ("93.184.216.34", "2606:2800:220:1::1"):
        assert any(ip_address(public) in ip_network(block["cidr"]) for block in blocks)


def test_every_pod_can_ask_for_names(manifests: Manifests) -> None:
    [rule] = manifests.get("NetworkPolicy", "to-dns")["spec"]["egress"]
    assert {(port["port"], port["protocol"]) for port in rule["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert all(53 in outside(manifests, pod) for pod in manifests.workloads())


def test_who_may_come_from_outside(small: Manifests, production: Manifests) -> None:
    def visitors(manifests: Manifests) -> set[tuple[str, str, int]]:
        return {
            (label, pod.name, port)
            for pod in manifests.workloads()
            for peer, ports in rules(manifests, pod, "ingress", "from")
            for label in peer.get("namespaceSelector", {}).get("matchLabels", {})
            for port in ports
        }

    door = {("pulse-ota/gateway", "gateway", GATEWAY)}
    assert visitors(small) == door
    assert visitors(production) == door | {("pulse-ota/monitoring", service, HTTP) for service in SERVICES}


@pytest.mark.parametrize("name", NEEDED)
def test_the_ports_are_those_of_the_addresses_that_pods_are_told(
    manifests: Manifests, secrets: Secrets, name: str
) -> None:
    pod = manifests.workload(name)
    told, files = manifests.environment(pod), manifests.files(pod, secrets)
    addresses = {
        urlsplit(files[told[variable]]).port for variable in told if variable.endswith("POSTGRES_DSN_FILE")
    } | {int(told[variable].rpartition(":")[2]) for variable in told if variable == "KAFKA_BOOTSTRAP"}
    addresses |= {int(told[variable]) for variable in told if variable == "MQTT_PORT"}
    addresses |= {urlsplit(told[variable]).port or HTTPS for variable in told if variable == "AUTH_JWKS_URL"}
    assert addresses == NEEDED[name] - {PLAIN}, "files lie at addresses that people name"


def test_services_and_probes_use_the_ports_that_the_policies_open(manifests: Manifests) -> None:
    assert ServiceSettings.model_fields["http_port"].default == HTTP
    for pod in manifests.workloads():
        ports = {port["name"]: port["containerPort"] for port in pod.container.get("ports", [])}
        assert ports == ({} if pod.name == "setup" else {"http": GATEWAY if pod.name == "gateway" else HTTP})
    for service in manifests.all("Service"):
        [port] = service["spec"]["ports"]
        assert port["targetPort"] == "http"
