"""Live campaigns one by one: how far, how fast, and how near to being stopped."""

from collections.abc import Iterator

from pulse_dashboards.panels import Json, Panel, Row, dashboard, graph, number, variable

ONE = 'campaign=~"$campaign"'


def devices(status: str) -> str:
    """Those of the campaigns chosen; every replica of campaign-svc counts them."""
    return f'sum(max by (campaign) (pulse_campaign_devices{{{ONE}, status="{status}"}}))'


def made() -> Json:
    return dashboard(
        "pulse-campaign",
        "Campaign",
        [*_at_a_glance(), *_progress(), *_verdict()],
        [variable("campaign", "Campaign", "label_values(pulse_campaign_info, campaign)")],
    )


def _at_a_glance() -> Iterator[Panel | Row]:
    yield number(
        "State",
        "Of each campaign chosen.",
        f"max by (campaign, tenant, status) (pulse_campaign_info{{{ONE}}})",
        width=6,
        legend="{{tenant}} {{campaign}}: {{status}}",
    )
    yield number(
        "Gate",
        "Of each campaign whose current stage has one.",
        f"max by (campaign, status) (pulse_campaign_gate_info{{{ONE}}})",
        width=6,
        legend="{{campaign}}: {{status}}",
    )
    yield number("Succeeded", "Devices.", devices("SUCCESS"), width=4)
    yield number("Failed", "Devices.", devices("FAILED"), width=4)
    yield number(
        "Waiting",
        "Devices that have not been released yet, or wait for a retry.",
        devices("PENDING"),
        width=4,
    )


def _progress() -> Iterator[Panel | Row]:
    yield Row("Progress")
    yield graph(
        "Devices by status",
        "All devices of the campaigns chosen.",
        (f"sum by (status) (avg by (campaign, status) (pulse_campaign_devices{{{ONE}}}))", "{{status}}"),
        stacked=True,
        width=12,
    )
    yield graph(
        "Rate: promised and actual",
        "Devices a second by the current stage's rate, and commands a second that dispatchers wrote.",
        (f"max by (campaign) (pulse_campaign_promised_devices_per_second{{{ONE}}})", "{{campaign}} promised"),
        (
            f"sum by (campaign) (rate(pulse_dispatch_campaign_published_total{{{ONE}}}[$__rate_interval]))",
            "{{campaign}} actual",
        ),
        (f"max by (campaign) (pulse_campaign_slow{{{ONE}}})", "{{campaign}} slow (0 or 1)"),
        unit="cps",
        width=12,
    )


def _verdict() -> Iterator[Panel | Row]:
    yield Row("Is it bad?")
    yield graph(
        "Failures and the line of the abort",
        "As the campaign's rule counts them, and how many would stop it now.",
        (f"max by (campaign) (pulse_campaign_failures{{{ONE}}})", "{{campaign}} failures"),
        (f"max by (campaign) (pulse_campaign_abort_at_failures{{{ONE}}})", "{{campaign}} stops at"),
    )
    yield graph(
        "Evidence for an abort",
        "Share of the evidence that stops the campaign: it does so at 100 %.",
        (f"max by (campaign) (pulse_campaign_abort_evidence_ratio{{{ONE}}})", "{{campaign}}"),
        unit="percentunit",
    )
    yield graph(
        "The current stage's gate",
        "Share of its devices that have succeeded, and the share that opens the gate.",
        (f"max by (campaign) (pulse_campaign_gate_success_ratio{{{ONE}}})", "{{campaign}} succeeded"),
        (f"max by (campaign) (pulse_campaign_gate_needed_ratio{{{ONE}}})", "{{campaign}} needed"),
        unit="percentunit",
    )
