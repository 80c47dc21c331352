"""Every query of the dashboards and rules finds something in a Prometheus that watches the real services."""

import re

from local_stack.layout import ROOT
from tests.monitoring import expressions
from tests.monitoring.conftest import Watched

OVER_TLS = "pulse_tls_certificate_not_after_timestamp_seconds"
"""The local stack has no TLS; that this series is there with it, the MQTT client's tests show."""
FAILURES = """pulse_http_requests_total{route!~"/metrics|/readyz|/healthz", status=~"5.."}"""
"""A good run has none; that a failure is counted, the tests of the HTTP side show."""
STOPPED = "pulse_campaign_stopped_timestamp_seconds"
STOPS = {f'{STOPPED}{{status="{status}"}}' for status in ("PAUSED", "ABORTED")}
"""A good run stops nothing by itself; that a stop has its series, campaign-svc's tests show."""
METRICS_PAGE = ROOT / "docs" / "monitoring.md"


async def test_every_query_of_every_dashboard_finds_something(watched: Watched) -> None:
    asked = list(expressions.in_dashboards())
    empty = [e.where for e in asked if not await watched.prometheus.query(e.promql)]
    assert len(asked) > 100
    assert empty == []


async def test_every_series_that_an_alert_looks_at_is_there(watched: Watched) -> None:
    looked_at = {selector for rule in expressions.rules() for selector in expressions.selectors(rule["expr"])}
    missing = {s for s in looked_at if not await watched.prometheus.series(s, watched.since)}
    assert missing == {OVER_TLS, FAILURES} | STOPS


async def test_no_rule_fails_and_a_good_campaign_alerts_nobody(watched: Watched) -> None:
    for rule in expressions.rules():
        await watched.prometheus.query(rule["expr"])
    assert await watched.prometheus.alerts() <= {"PulseCampaignAwaitsApproval"}


async def test_the_page_of_metrics_names_all_that_there_are_and_no_others(watched: Watched) -> None:
    names = {series["__name__"] for series in await watched.prometheus.series('{__name__=~"pulse_.+"}', watched.since)}
    exported = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}
    documented = set(re.findall(r"^\| `(pulse_\w+)", METRICS_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented - exported == {OVER_TLS, STOPPED}
    assert exported - documented == set()


async def test_no_label_names_a_device_and_none_has_many_values(watched: Watched) -> None:
    values: dict[tuple[str, str], set[str]] = {}
    for series in await watched.prometheus.series('{__name__=~"pulse_.+"}', watched.since):
        for label, value in series.items():
            values.setdefault((series["__name__"], label), set()).add(value)
    assert not {label for _, label in values} & {"device", "device_id"}
    assert max(len(found) for found in values.values()) <= 30
