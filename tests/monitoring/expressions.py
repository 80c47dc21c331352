"""Every PromQL expression of the product's dashboards and rules, and the selectors within them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pulse_dashboards.files import FOLDER
from tests.monitoring.prometheus import RATE_INTERVAL, RULES

_SELECTOR = re.compile(r"\b(?:pulse_\w+|process_\w+|up)\b(?:\{[^}]*\})?")
_LABEL_VALUES = re.compile(r"label_values\((.+), \w+\)")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression and where it stands."""

    where: str
    promql: str


def dashboards() -> dict[str, dict[str, Any]]:
    """The files as committed, by name."""
    return {file.name: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}


def rules() -> list[dict[str, Any]]:
    """All alert rules."""
    return [rule for file in RULES for rule in rules_of(file)]


def rules_of(file: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def in_dashboards() -> Iterator[Expression]:
    """Of every panel and variable, as Grafana would ask it with all campaigns chosen."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield Expression(f"{name}: {panel['title']} {target['refId']}", _asked(target["expr"]))
        for variable in dashboard["templating"]["list"]:
            found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert found is not None, f"{name}: variable {variable['name']} is not one of label_values"
            yield Expression(f"{name}: variable {variable['name']}", found[1])


def _asked(promql: str) -> str:
    return promql.replace("$__rate_interval", RATE_INTERVAL).replace("$campaign", ".+")


def selectors(promql: str) -> set[str]:
    """The series that an expression looks at."""
    return set(_SELECTOR.findall(promql))
