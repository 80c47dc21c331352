"""Each service by itself: its golden signals, and what only it has."""

from collections.abc import Iterator

from pulse_dashboards.common import database, health, http, quantiles, rates, spread
from pulse_dashboards.panels import Json, Panel, Row, dashboard, graph


def made() -> Iterator[Json]:
    yield _of("catalog-svc", [*http("catalog-svc"), *database("catalog-svc")])
    yield _of("campaign-svc", [*http("campaign-svc"), *_campaign(), *database("campaign-svc")])
    yield _of("dispatcher-svc", [*_commands(), *_knowledge()])
    yield _of("status-ingest-svc", [*_ingest(), *database("status-ingest-svc")])


def _of(job: str, contents: list[Panel | Row]) -> Json:
    return dashboard(f"pulse-{job}", job, [*health(job), *contents])


def _campaign() -> Iterator[Panel | Row]:
    yield Row("Loops")
    yield graph(
        "A campaign's tick",
        "Time that one takes; there are two a second for each live campaign.",
        (quantiles("pulse_campaign_tick_seconds", "instance"), "{{instance}}"),
        unit="s",
    )
    yield graph(
        "Control changes by the judge",
        "In five minutes: stages, completions, pauses and aborts.",
        ("sum by (event, reason) (increase(pulse_campaign_changes_total[5m]))", "{{event}} {{reason}}"),
    )
    yield graph(
        "Races, outages, errors",
        "In five minutes. Races and outages heal by themselves; an error that nobody expected sets a campaign aside.",
        ("sum(increase(pulse_loop_races_total[5m]))", "races"),
        ("sum(increase(pulse_loop_outages_total[5m]))", "outages"),
        ("sum(increase(pulse_campaign_errors_total[5m]))", "errors"),
    )
    yield graph(
        "Requests that Kafka did not take",
        "In five minutes; a sweep claims their devices again.",
        ("sum(increase(pulse_requests_unsent_total[5m]))", "unsent"),
    )
    yield graph(
        "Event streams",
        "Open streams, and looks at the database for all of them together.",
        ("sum(pulse_event_streams)", "streams"),
        (rates("pulse_feed_looks_total", "job"), "looks a second"),
    )
    yield graph(
        "Devices passed over and campaigns deleted",
        "Rows skipped at their turn, since a campaign started later had succeeded or the device no longer fitted;"
        " campaigns deleted after their retention; in five minutes.",
        ("sum(increase(pulse_devices_superseded_total[5m]))", "superseded"),
        ("sum by (reason) (increase(pulse_devices_unfit_total[5m]))", "{{reason}}"),
        ("sum(increase(pulse_campaigns_deleted_total[5m]))", "deleted"),
    )


def _commands() -> Iterator[Panel | Row]:
    yield Row("Commands")
    yield graph(
        "Promised and actual",
        "What buckets with waiting requests earn, and what was written, a second.",
        (rates("pulse_dispatch_promised_total", "instance"), "{{instance}} promised"),
        (rates("pulse_dispatch_published_total", "instance"), "{{instance}} actual"),
        unit="cps",
    )
    yield graph(
        "Lag of dispatch",
        "99th percentile, from a request's arrival in Kafka to its command on the socket.",
        (quantiles("pulse_dispatch_lag_seconds", "instance", share=0.99), "{{instance}}"),
        unit="s",
    )
    yield graph(
        "Errors",
        "Refused, expired and unreadable requests a second.",
        (rates("pulse_dispatch_outcomes_total", "outcome", 'outcome=~"REFUSED|EXPIRED"'), "{{outcome}}"),
        (rates("pulse_quarantined_total", "reason", 'job="dispatcher-svc", reason="unreadable"'), "{{reason}}"),
        unit="cps",
    )
    yield graph(
        "In flight",
        "Commands that the broker has not answered, and the most there may be.",
        ("pulse_dispatch_in_flight", "{{instance}}"),
        ("max(pulse_dispatch_window)", "window"),
    )
    yield graph("Unsettled", "Requests read and not settled.", ("pulse_dispatch_unsettled", "{{instance}}"))
    yield graph(
        "Partitions",
        "Of dispatch requests, held by each replica; and whether it is connected to the broker.",
        ("pulse_dispatch_partitions", "{{instance}}"),
        ("pulse_dispatch_mqtt_connected", "{{instance}} connected"),
    )


def _knowledge() -> Iterator[Panel | Row]:
    yield Row("What it must know before it sends")
    yield graph(
        "Age of knowledge",
        "Of the campaigns' states; above 0.2 s it holds.",
        ("pulse_dispatch_knowledge_age_seconds", "{{instance}}"),
        unit="s",
    )
    yield graph(
        "Age of membership",
        "Time since its last answered commit was sent; above 3 s it holds.",
        ("pulse_dispatch_commit_age_seconds", "{{instance}}"),
        unit="s",
    )
    yield graph(
        "Held back",
        "Share of the time, by what stood in the way.",
        ("max by (reason) (rate(pulse_dispatch_held_seconds_total[$__rate_interval]))", "{{reason}}"),
        unit="percentunit",
    )


def _ingest() -> Iterator[Panel | Row]:
    yield Row("Messages")
    yield graph(
        "Reports by what they say",
        "A second; what cannot be taken is named by its reason.",
        (rates("pulse_ingest_reports_total", "status"), "{{status}}"),
        unit="cps",
    )
    yield graph(
        "Dispatch results", "A second.", (rates("pulse_ingest_results_total", "outcome"), "{{outcome}}"), unit="cps"
    )
    yield graph(
        "Errors",
        "Messages put aside, parts of reports that are not as agreed, and changes that Kafka did not get, a second.",
        (rates("pulse_quarantined_total", "reason", 'job="status-ingest-svc"'), "{{reason}}"),
        (rates("pulse_ingest_reports_mended_total", "field"), "mended: {{field}}"),
        (rates("pulse_ingest_unannounced_total", "job"), "unannounced"),
        unit="cps",
    )
    yield graph(
        "Messages in a batch",
        "Median and 95th percentile.",
        *spread("pulse_ingest_batch_messages"),
    )
    yield graph(
        "Time of a batch",
        "From taking it to its last commit, 95th percentile.",
        (quantiles("pulse_ingest_batch_seconds", "instance"), "{{instance}}"),
        unit="s",
    )
    yield graph(
        "Saturation",
        "Reports received and not yet in a batch (a replica stops reading at four batches), and races.",
        ("pulse_ingest_waiting_reports", "{{instance}} waiting"),
        (rates("pulse_ingest_races_total", "job"), "races a second"),
    )
    yield graph(
        "Membership",
        "The ordinal of each replica's MQTT session, -1 without one.",
        ("pulse_ingest_lease_ordinal", "{{instance}}"),
    )
    yield graph(
        "Age of what is taken in", "By replica.", ("pulse_ingest_caught_up_lag_seconds", "{{instance}}"), unit="s"
    )
