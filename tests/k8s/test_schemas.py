"""Every resource is what the API server will take: nothing unknown, nothing missing, nothing of the wrong type."""

import copy
import json
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest

from tests.k8s.manifests import Manifests, Resource

OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
"""What docs/operations.md promises, and what there is."""
CUSTOM = ("ScaledObject", "HTTPRoute", "PodMonitor", "PrometheusRule")
SCRIPT = Path(__file__).with_name("custom_resources.mjs")


def wrong_custom_resources(node: Path, resources: list[Resource]) -> list[str]:
    done = subprocess.run(
        [node, SCRIPT], input=json.dumps(resources), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_built_in_resources_are_valid_to_the_letter(manifests: Manifests, version: str) -> None:
    built_in = [resource for resource in manifests.resources if resource["kind"] not in CUSTOM]
    assert {"Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget"} <= {each["kind"] for each in built_in}
    for resource in built_in:
        kubernetes_validate.validate(resource, version, strict=True)


def test_a_field_that_nobody_knows_is_found(small: Manifests) -> None:
    deployment = copy.deepcopy(small.get("Deployment", "gateway"))
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


def test_custom_resources_are_valid_to_the_letter(node: Path, production: Manifests) -> None:
    custom = [resource for resource in production.resources if resource["kind"] in CUSTOM]
    assert len(custom) >= 4
    assert wrong_custom_resources(node, custom) == []


def test_a_wrong_custom_resource_is_found(node: Path, production: Manifests) -> None:
    unknown, mistyped, empty = (copy.deepcopy(production.get("ScaledObject", "dispatcher-svc")) for _ in range(3))
    unknown["spec"]["triggers"][0]["metricTyp"] = "Value"
    mistyped["spec"]["maxReplicaCount"] = "many"
    del empty["spec"]["scaleTargetRef"]["name"]
    said = "\n".join(wrong_custom_resources(node, [unknown, mistyped, empty]))
    assert "'\"metricTyp\"' does not exist" in said
    assert "data/spec/maxReplicaCount must be integer" in said
    assert "data/spec/scaleTargetRef must have required property name" in said


def test_the_small_overlay_needs_no_custom_resources(small: Manifests) -> None:
    assert not {resource["kind"] for resource in small.resources} & set(CUSTOM)
