"""The monitoring's files as Prometheus, Alertmanager and Grafana will read them."""

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from local_stack import console
from local_stack.child import run
from local_stack.layout import DEPLOY, ROOT
from pulse_dashboards.files import FOLDER, files
from pulse_dashboards.panels import SOURCE
from tests.monitoring.expressions import dashboards, rules, rules_of, selectors
from tests.monitoring.prometheus import CONFIG, RULES

PROVISIONING = DEPLOY / "monitoring" / "grafana" / "provisioning"
TYPES = Path(__file__).parent / "grafana_types"
RULE_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
DASHBOARDS = dashboards()


async def test_prometheus_takes_its_configuration_and_its_rules(promtool: str) -> None:
    await run(promtool, "check", "config", "--lint=all", "--lint-fatal", str(CONFIG))
    await run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))


@pytest.mark.parametrize("file", RULE_TESTS, ids=[file.stem for file in RULE_TESTS])
async def test_alerts_fire_when_they_should_and_only_then(promtool: str, file: Path) -> None:
    await run(promtool, "test", "rules", str(file))


@pytest.mark.parametrize("file", RULE_TESTS, ids=[file.stem for file in RULE_TESTS])
def test_every_alert_is_seen_firing_and_at_rest_on_the_same_series(file: Path) -> None:
    """At rest: the first situation of each file has all series that its rules look at, and nothing fires."""
    tests = yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
    rules = rules_of(DEPLOY / "monitoring" / "prometheus" / "rules" / file.name)
    fires = {name for test in tests for name in re.findall(r'alertname[=:]"(\w+)"', json.dumps(test).replace("\\", ""))}
    assert fires == {rule["alert"] for rule in rules}
    at_rest = {series["series"].partition("{")[0] for series in tests[0]["input_series"]}
    looked_at = {s.partition("{")[0] for rule in rules for s in selectors(rule["expr"])}
    assert looked_at <= at_rest
    assert [seen["exp_samples"] for seen in tests[0]["promql_expr_test"]] == [[]]


def test_every_alert_says_what_it_is_and_where_to_read_what_to_do() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    anchors = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    for rule in rules():
        notes = rule["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url"}, rule["alert"]
        assert notes["runbook_url"] == f"docs/alerts.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert anchors == {rule["alert"].lower() for rule in rules()}


def test_the_committed_dashboards_are_those_that_python_writes() -> None:
    committed = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    assert committed == files(), "run `make dashboards` and look at the difference"


@pytest.mark.parametrize("name", list(DASHBOARDS))
def test_a_dashboard_has_ids_of_its_own_and_asks_the_provisioned_source(name: str) -> None:
    dashboard = DASHBOARDS[name]
    panels = dashboard["panels"]
    assert dashboard["uid"] == Path(name).stem
    assert len({panel["id"] for panel in panels}) == len(panels)
    asked = [part for panel in panels for part in (panel, *panel.get("targets", [])) if panel["type"] != "row"]
    assert all(part["datasource"] == SOURCE for part in [*asked, *dashboard["templating"]["list"]])
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


@pytest.mark.parametrize("name", list(DASHBOARDS))
def test_no_panel_covers_another(name: str) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken.update((place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"]))
    assert max(taken.values()) == 1


def test_what_is_provisioned_is_what_the_dashboards_ask() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))
    assert SOURCE in [{"type": source["type"], "uid": source["uid"]} for source in sources["datasources"]]
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "pulse.yml").read_text(encoding="utf-8"))["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"


def test_every_alert_that_alertmanager_silences_or_names_exists() -> None:
    config = yaml.safe_load((DEPLOY / "monitoring" / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))
    names = {rule["alert"] for rule in rules()}
    for inhibit in config["inhibit_rules"]:
        for matcher in (*inhibit["source_matchers"], *inhibit["target_matchers"]):
            label, pattern = re.fullmatch(r'(\w+) =~? "(.+)"', matcher).groups()  # type: ignore[union-attr]  # no match fails
            assert label != "alertname" or any(re.fullmatch(pattern, name) for name in names), matcher


@pytest.fixture(scope="module")
async def node() -> console.Node:
    found = await console.find_node()
    assert found is not None, "Node.js is needed to check the dashboards' types"
    if not (TYPES / "node_modules" / "typescript").is_dir():
        path = f"{found.folder}{os.pathsep}{os.environ['PATH']}"
        await run(str(found.folder / "npm"), "--prefix", str(TYPES), "ci", timeout=300, env={"PATH": path})
    return found


async def test_the_dashboards_are_of_grafana_s_own_types(node: console.Node) -> None:
    source = TYPES / "dashboards.ts"
    constants = [f"export const d{n}: Dashboard = {json.dumps(d)};\n" for n, d in enumerate(DASHBOARDS.values())]
    source.write_text('import type { Dashboard } from "@grafana/schema";\n' + "".join(constants), encoding="utf-8")
    tsc = TYPES / "node_modules" / "typescript" / "bin" / "tsc"
    await run(str(node.folder / "node"), str(tsc), "--noEmit", "--strict", "--project", str(TYPES))
