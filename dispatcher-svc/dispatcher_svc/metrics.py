"""All Prometheus series of dispatcher-svc; the ones that every command passes are bound to their labels here."""

from collections.abc import Collection, Iterator

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from pulse.contracts.kafka import Outcome

PROMISED = Counter("pulse_dispatch_promised_total", "Commands that the buckets with waiting requests have earned")
PUBLISHED = Counter("pulse_dispatch_published_total", "Commands written to the broker's socket")
LAG = Histogram(
    "pulse_dispatch_lag_seconds",
    "From a request's arrival in Kafka to its command on the broker's socket, its wait for a token among it",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
QUEUED = Gauge("pulse_dispatch_queued", "Requests that wait for their turn")
UNSETTLED = Gauge("pulse_dispatch_unsettled", "Requests read and not settled: waiting, in flight, result on its way")
PARTITIONS = Gauge("pulse_dispatch_partitions", "Partitions held")
IN_FLIGHT = Gauge("pulse_dispatch_in_flight", "Commands that the broker has not answered")
WINDOW = Gauge("pulse_dispatch_window", "The most commands in flight, by MQTT_WINDOW; the broker may allow less")
MQTT_CONNECTED = Gauge("pulse_dispatch_mqtt_connected", "1 while connected to the broker")
KNOWLEDGE_AGE = Gauge("pulse_dispatch_knowledge_age_seconds", "Age of what is known of the campaigns")
COMMIT_AGE = Gauge("pulse_dispatch_commit_age_seconds", "Time since the last answered offset commit was sent")

_HELD = Counter("pulse_dispatch_held_seconds_total", "Time in which due commands were held back", ["reason"])
_OUTCOMES = Counter("pulse_dispatch_outcomes_total", "Requests settled", ["outcome"])
_ANSWERS = Counter("pulse_dispatch_broker_answers_total", "The broker's answers to commands", ["reason_code"])
HELD = {reason: _HELD.labels(reason) for reason in ("membership", "knowledge", "mqtt")}
OUTCOMES = {outcome: _OUTCOMES.labels(outcome.value) for outcome in Outcome}
ANSWERS = {code: _ANSWERS.labels(str(code)) for code in (0, 16, 128, 131, 135, 144, 145, 149, 151, 153)}


def count_answer(reason_code: int) -> None:
    child = ANSWERS.get(reason_code)
    (child or _ANSWERS.labels(str(reason_code))).inc()


class PublishedByCampaign(Collector):
    """Commands of the campaigns at hand: plain numbers, made into series when somebody asks."""

    def __init__(self) -> None:
        self._published: dict[int, int] = {}

    def count(self, campaign_id: int) -> None:
        self._published[campaign_id] = self._published.get(campaign_id, 0) + 1

    def keep(self, campaigns: Collection[int]) -> None:
        """Begins the series of new `campaigns` at 0, and ends those of all others."""
        self._published = {number: self._published.get(number, 0) for number in campaigns}

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "pulse_dispatch_campaign_published", "Commands written, by campaign with a bucket here", labels=["campaign"]
        )
        for campaign_id, published in self._published.items():
            family.add_metric([str(campaign_id)], published)
        yield family


PUBLISHED_BY_CAMPAIGN = PublishedByCampaign()
REGISTRY.register(PUBLISHED_BY_CAMPAIGN)
