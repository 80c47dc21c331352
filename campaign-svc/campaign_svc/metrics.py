"""All series of the loops and of what is watched."""

from prometheus_client import Counter, Gauge, Histogram

LIVE = Gauge("pulse_live_campaigns", "Campaigns that the tick looks at")
TICK_SECONDS = Histogram(
    "pulse_campaign_tick_seconds",
    "Time that one campaign's tick took",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
OUTAGES = Counter("pulse_loop_outages_total", "Times that a loop found the database or Kafka away", ["loop"])
ERRORS = Counter("pulse_campaign_errors_total", "Ticks that ended in an error that nobody expected; the log has it")
ASIDE = Gauge(
    "pulse_campaigns_set_aside", "Campaigns whose last tick ended in an unexpected error; tried again by and by"
)
RACES = Counter("pulse_loop_races_total", "Transactions of the loops that met another one and were tried again")
CLAIMED = Counter("pulse_devices_claimed_total", "Rows that went from PENDING to QUEUED")
SKIPPED_SUPERSEDED = Counter(
    "pulse_devices_superseded_total", "Rows skipped because a campaign started later had succeeded"
)
SKIPPED_UNFIT = Counter(
    "pulse_devices_unfit_total",
    "Rows that a claim skipped: the device's type or version no longer fits, or it is not registered any more",
    ["reason"],
)
for _reason in ("already_on_version", "wrong_device_type", "unknown_device"):  # one that begins with its first event
    SKIPPED_UNFIT.labels(_reason)  # has no increase to show
UNSENT = Counter("pulse_requests_unsent_total", "Dispatch requests that Kafka did not take; the sweep heals their rows")
SWEPT = Counter("pulse_devices_swept_total", "Rows that a sweep moved", ["sweep"])
CHANGES = Counter("pulse_campaign_changes_total", "Control changes that the judge made", ["event", "reason"])
ANNOUNCED = Counter("pulse_control_announced_total", "Control records, by whether Kafka took them in time", ["taken"])
DISAGREEING = Gauge(
    "pulse_control_disagreeing_campaigns", "Campaigns whose last control record is not what the row says"
)
WATCHERS = Gauge("pulse_event_streams", "Streams of server-sent events that are open in this process")
DELETED = Counter("pulse_campaigns_deleted_total", "Campaigns deleted after their retention")
GROUP_LAG = Gauge(
    "pulse_kafka_group_lag_records",
    "Records that a consumer group has not committed yet, also while none of its members is alive",
    ["group", "topic", "partition"],
)
SWEEP_KNOWLEDGE_AGE = Gauge(
    "pulse_sweep_knowledge_age_seconds",
    "Age of the moment up to which all replicas of ingest have taken everything in; +Inf without any",
)
FLEET = Gauge("pulse_fleet_devices", "Devices registered, of all tenants")
FLEET_HEARD = Gauge("pulse_fleet_heard_devices", "Devices heard of within about an hour, of all tenants")
LOOKS = Counter("pulse_feed_looks_total", "Looks at the database on behalf of all who watch a tenant's campaigns")

# A counter that begins with its first event has no increase to alert on: all begin at 0.
for _loop in ("tick", "campaign", "agreement", "control_topic", "retention", "feeds", "chronicle", "backlog"):
    OUTAGES.labels(_loop)
for _sweep in ("overdue", "silent", "ended", "retried"):
    SWEPT.labels(_sweep)
for _change in (
    ("aborted", "abort_ratio"),
    ("aborted", "abort_sequential"),
    ("paused", "firmware_withdrawn"),
    ("gate_failed", "gate_failed"),
    ("completed", ""),
    ("completed", "nobody_updated"),
    ("stage_started", ""),
    ("restored", ""),
    ("restored", "restored"),
):
    CHANGES.labels(*_change)
for _taken in ("yes", "no"):
    ANNOUNCED.labels(_taken)
