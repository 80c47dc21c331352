"""All Prometheus series of dispatcher-svc."""

from prometheus_client import Counter, Gauge, Histogram

from pulse.contracts.kafka import Outcome

PROMISED = Counter("pulse_dispatch_promised_total", "Commands that the buckets with waiting requests have earned")
PUBLISHED = Counter("pulse_dispatch_published_total", "Commands written to the broker's socket")
LAG = Histogram(
    "pulse_dispatch_lag_seconds",
    "From a request's arrival in Kafka to its command on the broker's socket",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
HELD_SECONDS = Counter("pulse_dispatch_held_seconds_total", "Time in which due commands were held back", ["reason"])
QUEUED = Gauge("pulse_dispatch_queued", "Requests that wait for their turn")
UNSETTLED = Gauge("pulse_dispatch_unsettled", "Requests read and not settled: waiting, in flight, result on its way")
PARTITIONS = Gauge("pulse_dispatch_partitions", "Partitions held")
IN_FLIGHT = Gauge("pulse_dispatch_in_flight", "Commands that the broker has not answered")
MQTT_CONNECTED = Gauge("pulse_dispatch_mqtt_connected", "1 while connected to the broker")
KNOWLEDGE_AGE = Gauge("pulse_dispatch_knowledge_age_seconds", "Age of what is known of the campaigns")
COMMIT_AGE = Gauge("pulse_dispatch_commit_age_seconds", "Time since the last answered offset commit was sent")

_OUTCOMES = Counter("pulse_dispatch_outcomes_total", "Requests settled", ["outcome"])
_ANSWERS = Counter("pulse_dispatch_broker_answers_total", "The broker's answers to commands", ["reason_code"])
OUTCOMES = {outcome: _OUTCOMES.labels(outcome.value) for outcome in Outcome}
ANSWERS = {code: _ANSWERS.labels(str(code)) for code in (0, 16, 128, 131, 135, 144, 145, 149, 151, 153)}


def count_answer(reason_code: int) -> None:
    child = ANSWERS.get(reason_code)
    (child or _ANSWERS.labels(str(reason_code))).inc()
