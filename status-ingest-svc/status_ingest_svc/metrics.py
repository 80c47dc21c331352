"""All Prometheus series of status-ingest-svc (quarantined messages are counted where they are put aside)."""

import time
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from pulse.contracts.kafka import Outcome, QuarantineReason
from pulse.contracts.mqtt import Report
from pulse.contracts.status import REPORTS as DEVICE_REPORTS
from pulse.contracts.status import Status

REPORTS = Counter("pulse_ingest_reports_total", "Device reports taken in, by what they say", ["status"])
MENDED = Counter(
    "pulse_ingest_reports_mended_total", "Parts of reports put into words, left out or read all the same", ["field"]
)
RESULTS = Counter("pulse_ingest_results_total", "Dispatch results taken in", ["outcome"])
IGNORED = Counter("pulse_ingest_ignored_total", "Messages that changed nothing, as the rules want it", ["reason"])
TRANSITIONS = Counter("pulse_ingest_transitions_total", "Committed changes of status", ["to"])
UNANNOUNCED = Counter("pulse_ingest_unannounced_total", "Committed changes that Kafka did not get")
BATCH_SIZE = Histogram(
    "pulse_ingest_batch_messages", "Messages in a batch", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500)
)
BATCH_SECONDS = Histogram(
    "pulse_ingest_batch_seconds",
    "From taking a batch to its last commit and quarantine record",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RACES = Counter("pulse_ingest_races_total", "Transactions repeated because they met another one")
CAUGHT_UP_LAG = Gauge("pulse_ingest_caught_up_lag_seconds", "Age of the moment up to which everything is taken in")
ORDINAL = Gauge("pulse_ingest_lease_ordinal", "The ordinal of this replica's MQTT client id, -1 without one")
WAITING = Gauge("pulse_ingest_waiting_reports", "Reports received and not yet in a batch")

# A counter that begins with its first event has no increase to alert on: all begin at 0.
for _kind in (*DEVICE_REPORTS, "presence", *get_args(QuarantineReason)):
    REPORTS.labels(_kind)
for _field in (*Report.__struct_fields__, "frame"):
    MENDED.labels(_field)
for _outcome in (*Outcome, *get_args(QuarantineReason)):
    RESULTS.labels(_outcome)
for _reason in ("merged", "quarantined", "finished", "older_attempt", "out_of_order"):
    IGNORED.labels(_reason)
for _status in Status:
    TRANSITIONS.labels(_status)


def caught_up(asked: float) -> None:
    """Lets the lag grow from `asked` (`time.monotonic()`) until the next call."""
    CAUGHT_UP_LAG.set_function(lambda: time.monotonic() - asked)
