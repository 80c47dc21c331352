"""Panels and dashboards in Grafana's JSON, with the few choices that ours make."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Query: TypeAlias = tuple[str, str]
"""A PromQL expression, and the legend of its series."""

SOURCE: Json = {"type": "prometheus", "uid": "pulse-prometheus"}
"""As it is provisioned."""
SCHEMA_VERSION = 39
WIDTH = 24
"""Grafana's grid; heights are in units of 30 pixels."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel without its place: `kind` and what is special to it, its queries, its size."""

    title: str
    kind: str
    description: str
    queries: Sequence[Query]
    unit: str
    width: int
    height: int
    custom: Json
    options: Json
    is_present: bool = False
    """Asks for the present only: series that have ended are not shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """A heading over the panels that follow it."""

    title: str


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    width: int = 8,
    stacked: bool = False,
) -> Panel:
    """Lines over time; `stacked`: as areas that add up."""
    custom: Json = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    options: Json = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel(title, "timeseries", description, queries, unit, width, 8, custom, options)


def number(title: str, description: str, query: str, *, unit: str = "short", width: int = 4, legend: str = "") -> Panel:
    """The present value in large; with a `legend` one for each series."""
    options: Json = {
        "colorMode": "value",
        "graphMode": "none" if legend else "area",
        "justifyMode": "auto",
        "textMode": "value_and_name" if legend else "value",
        "wideLayout": True,
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
    }
    return Panel(title, "stat", description, [(query, legend)], unit, width, 4, {}, options, is_present=bool(legend))


def dashboard(uid: str, title: str, contents: Iterable[Panel | Row], variables: Iterable[Json] = ()) -> Json:
    """A dashboard of the last hour, its panels laid out in lines from left to right."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["pulse-ota"],
        "timezone": "browser",
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": list(variables)},
        "links": [LINKS],
        "panels": list(_placed(contents)),
    }


def variable(name: str, label: str, query: str) -> Json:
    """A choice among the values of a label, all of them at first."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 4,
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


LINKS: Json = {
    "title": "Pulse OTA",
    "type": "dashboards",
    "tags": ["pulse-ota"],
    "asDropdown": True,
    "icon": "external link",
    "includeVars": False,
    "keepTime": True,
    "targetBlank": False,
    "tooltip": "",
    "url": "",
}


def _placed(contents: Iterable[Panel | Row]) -> Iterator[Json]:
    numbers = count(1)
    x = y = line = 0
    for each in contents:
        width, height = (WIDTH, 1) if isinstance(each, Row) else (each.width, each.height)
        if isinstance(each, Row) or x + width > WIDTH or (x and height != line):
            x, y = 0, y + line
            line = 0
        place = {"x": x, "y": y, "w": width, "h": height}
        x, line = x + width, max(line, height)
        yield _row(each, next(numbers), place) if isinstance(each, Row) else _panel(each, next(numbers), place)


def _row(row: Row, number: int, place: Json) -> Json:
    return {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": panel.custom}, "overrides": []},
        "options": panel.options,
        "targets": [
            {
                "refId": chr(ord("A") + place_in_panel),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend or "__auto",
                "range": not panel.is_present,
                "instant": panel.is_present,
                "editorMode": "code",
            }
            for place_in_panel, (expression, legend) in enumerate(panel.queries)
        ],
    }
