"""Live campaigns as Prometheus series: what the ticks saw last, made into numbers when somebody asks."""

from collections.abc import Collection, Iterable, Iterator
from math import log

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from campaign_svc.engine.live import LiveCampaign
from campaign_svc.engine.policy import AbortPolicy, AbortRule, Limits, Outcomes, abort_at, log_e
from campaign_svc.engine.stops import Stop
from pulse.contracts.status import CampaignStatus, Status, Wait

MOST = 100
"""Campaigns with series of their own; of more, those that run and were made last."""


class LiveCampaigns(Collector):
    """Keeps one immutable value per campaign; a campaign that is no longer live takes its series with it."""

    def __init__(self) -> None:
        self._seen: dict[int, LiveCampaign] = {}
        self._stops: list[Stop] = []

    def note(self, campaign: LiveCampaign) -> None:
        self._seen[campaign.id] = campaign

    def keep(self, live: Collection[int]) -> None:
        """Forgets all campaigns but these."""
        kept = set(live)
        self._seen = {number: seen for number, seen in self._seen.items() if number in kept}

    def note_stops(self, stops: list[Stop]) -> None:
        """These, and no others, have been stopped by themselves."""
        self._stops = stops

    def collect(self) -> Iterator[Metric]:
        order = sorted(self._seen.values(), key=lambda c: (c.status is not CampaignStatus.RUNNING, -c.id))
        yield from families(order[:MOST])
        yield stopped(self._stops)


def stopped(stops: Iterable[Stop]) -> Metric:
    """When each of them was stopped, in seconds since 1970."""
    return _gauge(
        "pulse_campaign_stopped_timestamp_seconds",
        "When a campaign was paused or aborted by itself; while it lives, and for an hour after its end",
        ("campaign", "tenant", "name", "status", "reason"),
        (((str(s.campaign_id), s.tenant_id, s.name, s.status, s.reason), s.at.timestamp()) for s in stops),
    )


def families(campaigns: Iterable[LiveCampaign]) -> Iterator[Metric]:
    """All series of these campaigns. Rates in devices per second, shares from 0 to 1."""
    shown = list(campaigns)
    yield _gauge(
        "pulse_campaign_info",
        "1; of each live campaign its tenant, status and abort rule",
        ("campaign", "tenant", "status", "rule"),
        (((str(c.id), c.tenant_id, c.status, c.abort.rule), 1) for c in shown),
    )
    yield _gauge(
        "pulse_campaign_devices",
        "Devices of a live campaign by status",
        ("campaign", "status"),
        (((str(c.id), status), c.counts[status]) for c in shown for status in Status),
    )
    yield _gauge(
        "pulse_campaign_waiting_devices",
        "PENDING devices of a live campaign that are held back, by what for: offline, refused, retry",
        ("campaign", "wait"),
        (((str(c.id), wait), c.counts[wait]) for c in shown for wait in Wait),
    )
    yield _dispatched(shown)
    yield _of_each(
        "pulse_campaign_promised_devices_per_second",
        "The rate of the current stage, 0 while the campaign does not run",
        ((c, c.stage.rate if c.status is CampaignStatus.RUNNING else 0.0) for c in shown),
    )
    yield _of_each(
        "pulse_campaign_has_work",
        "1 while the campaign runs and has devices to send: released ones, or due ones within its limits",
        ((c, float(has_work(c))) for c in shown),
    )
    yield _of_each(
        "pulse_campaign_slow",
        "1 while the campaign could send more and does not keep up with its rate",
        ((c, float(c.slow)) for c in shown),
    )
    yield from _abort_evidence(shown)
    yield from _gates(shown)


def has_work(campaign: LiveCampaign) -> bool:
    """Whether commands should be going out now."""
    if campaign.status is not CampaignStatus.RUNNING or campaign.refilling or campaign.firmware.withdrawn:
        return False
    counts, limits = campaign.counts, campaign.limits
    is_due = any(stage.due for stage in campaign.open_stages) and not campaign.past_end
    return counts[Status.QUEUED] > 0 or (is_due and _has_room(limits, campaign.outcomes, campaign.active))


def _has_room(limits: Limits, seen: Outcomes, active: int) -> bool:
    most = limits.in_flight(seen.succeeded, seen.failing)
    return most is None or active < most


def evidence(policy: AbortPolicy, seen: Outcomes) -> float:
    """How much of the evidence that stops the campaign is there: it does so at 1 and above, or (ratio) just above."""
    if policy.rule is AbortRule.SEQUENTIAL:
        return max(0.0, log_e(seen.dispatched, seen.failing, policy.threshold) / -log(1 - policy.confidence))
    finished = seen.succeeded + seen.failed
    if seen.failed == 0 or finished < policy.min_devices:
        return 0.0
    return seen.failed / finished / policy.threshold if policy.threshold else 1.0


def _abort_evidence(shown: list[LiveCampaign]) -> Iterator[Metric]:
    yield _of_each(
        "pulse_campaign_failures",
        "Failures as the campaign's rule counts them: finished devices (ratio), or dispatched ones (sequential)",
        ((c, _failures(c)) for c in shown),
    )
    yield _of_each(
        "pulse_campaign_abort_at_failures",
        "Failures at which the rule would stop the campaign now; absent where no number of them would",
        ((c, most) for c in shown if (most := abort_at(c.abort, c.outcomes)) is not None),
    )
    yield _of_each(
        "pulse_campaign_abort_evidence_ratio",
        "How much of the evidence that stops the campaign is there",
        ((c, evidence(c.abort, c.outcomes)) for c in shown),
    )


def _failures(campaign: LiveCampaign) -> int:
    seen = campaign.outcomes
    return seen.failed if campaign.abort.rule is AbortRule.RATIO else seen.failing


def _gates(shown: list[LiveCampaign]) -> Iterator[Metric]:
    gated = [(c, c.stage) for c in shown if c.stage.gate]
    yield _of_each("pulse_campaign_stage", "Number of the current stage", ((c, c.current_stage) for c in shown))
    yield _gauge(
        "pulse_campaign_gate_info",
        "1; where the current stage's gate is on its way",
        ("campaign", "status"),
        (((str(c.id), stage.status), 1) for c, stage in gated),
    )
    yield _of_each(
        "pulse_campaign_gate_stuck",
        "1 while the current stage's gate cannot open by itself: it needs devices that are held back",
        ((c, float(stage.stuck and not stage.approved)) for c, stage in gated),
    )
    yield _of_each(
        "pulse_campaign_gate_success_ratio",
        "Share of the current stage's devices that have succeeded",
        ((c, stage.succeeded / max(1, stage.updatable)) for c, stage in gated),
    )
    yield _of_each(
        "pulse_campaign_gate_needed_ratio",
        "Share of the current stage's devices that must succeed before its gate opens",
        ((c, stage.min_success) for c, stage in gated),
    )


def _dispatched(shown: list[LiveCampaign]) -> Metric:
    family = CounterMetricFamily(
        "pulse_campaign_dispatched_devices", "Devices that were commanded at least once", labels=["campaign"]
    )
    for campaign in shown:
        family.add_metric([str(campaign.id)], campaign.outcomes.dispatched)
    return family


def _of_each(name: str, help_: str, values: Iterable[tuple[LiveCampaign, float]]) -> Metric:
    return _gauge(name, help_, ("campaign",), (((str(campaign.id),), value) for campaign, value in values))


def _gauge(name: str, help_: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


SHOWN = LiveCampaigns()
REGISTRY.register(SHOWN)
