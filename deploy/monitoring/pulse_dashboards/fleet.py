"""The fleet at a glance: is anything wrong, and how far are the campaigns?"""

from collections.abc import Iterator

from pulse_dashboards.common import PROBES, quantiles, rates
from pulse_dashboards.panels import Json, Panel, Row, dashboard, graph, number

JOBS = "catalog-svc|campaign-svc|dispatcher-svc|status-ingest-svc"
AT_WORK = "QUEUED|DISPATCHED|DOWNLOADING|INSTALLING"

SETTLED = "sum(rate(pulse_dispatch_outcomes_total{%s}[$__rate_interval]))"
EXPIRED = f"""{SETTLED % 'outcome="EXPIRED"'} / ({SETTLED % ""} > 0) or vector(0)"""
STATUS_5XX = 'status=~"5.."'


def made() -> Json:
    return dashboard("pulse-fleet", "Fleet overview", [*_at_a_glance(), *_rollout(), *_reports(), *_api()])


def _at_a_glance() -> Iterator[Panel | Row]:
    yield number("Alerts", "Alerts that fire.", 'count(ALERTS{alertname=~"Pulse.+", alertstate="firing"}) or vector(0)')
    yield number("Live campaigns", "Started, with devices to finish.", "max(pulse_live_campaigns)")
    yield number("Devices", "Registered, of all tenants.", "max(pulse_fleet_devices)")
    yield number("Heard of", "Devices heard of within about an hour.", "max(pulse_fleet_heard_devices)")
    yield number(
        "At work",
        "Devices that live campaigns have commanded and that have not finished.",
        f'sum(max by (campaign, status) (pulse_campaign_devices{{status=~"{AT_WORK}"}})) or vector(0)',
    )
    yield number("Processes", "Replicas of the four services that answer.", f'sum(up{{job=~"{JOBS}"}})')


def _rollout() -> Iterator[Panel | Row]:
    yield Row("Rollout")
    yield graph(
        "Commands: promised and actual",
        "What running campaigns allow, what buckets with waiting requests earn, and what went out.",
        (
            "sum(max by (campaign) (pulse_campaign_promised_devices_per_second)) or vector(0)",
            "campaigns' rates",
        ),
        (rates("pulse_dispatch_promised_total", "job"), "promised"),
        (rates("pulse_dispatch_published_total", "job"), "actual"),
        unit="cps",
    )
    yield graph(
        "Devices that finished",
        "Changes to SUCCESS and FAILED that reports made, a second.",
        (rates("pulse_ingest_transitions_total", "to", 'to=~"SUCCESS|FAILED"'), "{{to}}"),
        unit="cps",
    )
    yield graph(
        "Devices of live campaigns",
        "By status, of all live campaigns.",
        ("sum by (status) (avg by (campaign, status) (pulse_campaign_devices))", "{{status}}"),
        stacked=True,
    )


def _reports() -> Iterator[Panel | Row]:
    yield Row("Reports and refusals")
    yield graph(
        "Reports by what they say",
        "Messages of devices a second.",
        (rates("pulse_ingest_reports_total", "status"), "{{status}}"),
        unit="cps",
    )
    yield graph(
        "Put aside",
        "Messages in the quarantine, by reason, a second.",
        (rates("pulse_quarantined_total", "reason"), "{{reason}}"),
        unit="cps",
    )
    yield graph(
        "Share of requests that expire",
        "Of all that were settled. Above 1 % something holds commands back.",
        (
            EXPIRED,
            "EXPIRED",
        ),
        unit="percentunit",
    )


def _api() -> Iterator[Panel | Row]:
    yield Row("REST API")
    yield graph("Requests", "A second.", (rates("pulse_http_requests_total", "job", PROBES), "{{job}}"), unit="reqps")
    yield graph(
        "Failures",
        "Answers 5xx a second.",
        (f"{rates('pulse_http_requests_total', 'job', PROBES + ', ' + STATUS_5XX)} or vector(0)", "{{job}}"),
        unit="reqps",
    )
    yield graph(
        "Time to an answer's first byte",
        "95th percentile.",
        (quantiles("pulse_http_request_seconds", "job", PROBES), "{{job}}"),
        unit="s",
    )
