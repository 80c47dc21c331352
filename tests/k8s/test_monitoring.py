"""Prometheus sees in a cluster what it sees elsewhere: the same rules, over the same job names."""

import re
import runpy
from typing import Any

import yaml

from local_stack.layout import ROOT
from tests.k8s.manifests import K8S, SERVICES, Manifests, selects

RULES = ROOT / "deploy" / "monitoring" / "prometheus" / "rules"


def groups_of_files() -> list[dict[str, Any]]:
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(RULES.glob("*.yml"))]
    return [group for file in files for group in file["groups"]]


def test_the_rules_are_those_of_the_files(production: Manifests) -> None:
    groups = groups_of_files()
    assert sum(len(group["rules"]) for group in groups) > 20
    assert production.get("PrometheusRule", "alerts")["spec"]["groups"] == groups


def test_the_committed_rules_are_as_they_are_written() -> None:
    written = runpy.run_path(str(K8S / "rules.py"))["text"]()
    committed = (K8S / "components" / "monitoring" / "rules.yaml").read_text(encoding="utf-8")
    assert committed == written, "run `python deploy/k8s/rules.py`"


def test_the_monitor_finds_the_four_services_and_gives_them_the_job_names_of_the_rules(production: Manifests) -> None:
    monitor = production.get("PodMonitor", "services")["spec"]
    found = [pod for pod in production.workloads() if selects(monitor["selector"], pod.labels)]
    assert {pod.labels[monitor["jobLabel"]] for pod in found} == {*SERVICES}
    for endpoint in monitor["podMetricsEndpoints"]:
        assert endpoint["path"] == "/metrics"
        assert all(endpoint["port"] in {port["name"] for port in pod.container["ports"]} for pod in found)


def test_no_rule_names_a_job_that_is_not_there() -> None:
    expressions = [rule["expr"] for group in groups_of_files() for rule in group["rules"]]
    named = {job for text in expressions for names in re.findall(r'job=~?"([^"]+)"', text) for job in names.split("|")}
    assert named == {*SERVICES}
