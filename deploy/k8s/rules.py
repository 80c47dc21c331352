"""Writes components/monitoring/rules.yaml: the alert rules of deploy/monitoring for the Prometheus Operator."""

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RULES = HERE.parent / "monitoring" / "prometheus" / "rules"
WRITTEN = HERE / "components" / "monitoring" / "rules.yaml"
HEAD = "# Written by deploy/k8s/rules.py from deploy/monitoring/prometheus/rules; change them there.\n"


class _Plain(yaml.SafeDumper):
    """Texts of several lines stay readable; nothing is abbreviated by an anchor."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  the signature is the library's
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def rules() -> dict[str, Any]:
    """The resource."""
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(RULES.glob("*.yml"))]
    groups = [group for file in files for group in file["groups"]]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "alerts"},
        "spec": {"groups": groups},
    }


def text() -> str:
    return HEAD + yaml.dump(rules(), Dumper=_Plain, sort_keys=False, width=200)


if __name__ == "__main__":
    WRITTEN.write_text(text(), encoding="utf-8")
