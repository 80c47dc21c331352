"""The way of a command and of its report: the lag at each stage, from left to right."""

from collections.abc import Iterator

from pulse_dashboards.common import rates, spread
from pulse_dashboards.panels import Json, Panel, Row, dashboard, graph, number


def lag(group: str) -> str:
    """Records that a consumer group has not committed; every replica of campaign-svc measures the same."""
    return f'sum(max by (partition) (pulse_kafka_group_lag_records{{group="{group}"}}))'


def made() -> Json:
    return dashboard(
        "pulse-pipeline", "Pipeline health", [*_at_a_glance(), *_release(), *_dispatch(), *_ingest(), *_control()]
    )


def _at_a_glance() -> Iterator[Panel | Row]:
    yield number("Requests in Kafka", "Dispatch requests that are not settled yet.", lag("pulse-dispatcher"))
    yield number("In flight", "Commands that the broker has not answered.", "sum(pulse_dispatch_in_flight)")
    yield number(
        "Knowledge",
        "Age of what dispatchers know of the campaigns; above 0.2 s they hold.",
        "max(pulse_dispatch_knowledge_age_seconds)",
        unit="s",
    )
    yield number("Results in Kafka", "Dispatch results that ingest has not committed.", lag("pulse-status-ingest"))
    yield number(
        "Reports waiting", "Received from the broker, not in a batch yet.", "sum(pulse_ingest_waiting_reports)"
    )
    yield number(
        "Ingest behind",
        "Age of the moment up to which all is taken in.",
        "max(pulse_sweep_knowledge_age_seconds)",
        unit="s",
    )


def _release() -> Iterator[Panel | Row]:
    yield Row("1 Release: campaign-svc")
    yield graph(
        "Devices claimed",
        "PENDING to QUEUED, a second.",
        (rates("pulse_devices_claimed_total", "job"), "claimed"),
        unit="cps",
    )
    yield graph(
        "A campaign's tick",
        "Time that one takes; there are two a second.",
        *spread("pulse_campaign_tick_seconds"),
        unit="s",
    )
    yield graph(
        "Rows that a sweep moved",
        "overdue: requests past their time; silent: devices that said nothing; ended: abort or deadline.",
        (rates("pulse_devices_swept_total", "sweep"), "{{sweep}}"),
        unit="cps",
    )


def _dispatch() -> Iterator[Panel | Row]:
    yield Row("2 Dispatch: Kafka, dispatcher-svc, MQTT")
    yield graph(
        "Lag of dispatch",
        "From a request's arrival in Kafka to its command on the socket, the wait for its token among it.",
        *spread("pulse_dispatch_lag_seconds", high=0.99),
        unit="s",
    )
    yield graph(
        "Requests that wait",
        "In Kafka and in dispatchers together; and those in dispatchers alone.",
        (lag("pulse-dispatcher"), "not settled"),
        ("sum(pulse_dispatch_queued)", "waiting for a token"),
    )
    yield graph(
        "Held back",
        "Share of the time in which due commands could not go, by the obstacle; the worst dispatcher.",
        ("max by (reason) (rate(pulse_dispatch_held_seconds_total[$__rate_interval]))", "{{reason}}"),
        unit="percentunit",
    )
    yield graph(
        "How requests were settled",
        "A second.",
        (rates("pulse_dispatch_outcomes_total", "outcome"), "{{outcome}}"),
        unit="cps",
        stacked=True,
    )
    yield graph(
        "The broker's answers",
        "PUBACK reason codes a second: 0 taken, 16 nobody subscribed, 128 and above refused.",
        (rates("pulse_dispatch_broker_answers_total", "reason_code"), "{{reason_code}}"),
        unit="cps",
    )
    yield graph(
        "Connections to the broker",
        "Connects by how they ended, and connections that ended unasked, in five minutes.",
        ("sum by (result) (increase(pulse_mqtt_connects_total[5m]))", "{{result}}"),
        ("sum(increase(pulse_mqtt_connections_lost_total[5m]))", "lost"),
    )


def _ingest() -> Iterator[Panel | Row]:
    yield Row("3 Ingest: MQTT and Kafka to PostgreSQL")
    yield graph(
        "Messages taken in",
        "Reports and dispatch results a second.",
        (rates("pulse_ingest_reports_total", "job"), "reports"),
        (rates("pulse_ingest_results_total", "job"), "results"),
        unit="cps",
    )
    yield graph(
        "Age of what is taken in",
        "By replica, and of all together (also of members that are gone): sweeps wait for the oldest.",
        ("pulse_ingest_caught_up_lag_seconds", "{{instance}}"),
        ("max(pulse_sweep_knowledge_age_seconds)", "all"),
        unit="s",
    )
    yield graph(
        "Time of a batch",
        "From taking it to its commit.",
        *spread("pulse_ingest_batch_seconds", high=0.99),
        unit="s",
    )
    yield graph(
        "Changes of status",
        "Committed ones a second, by the new status.",
        (rates("pulse_ingest_transitions_total", "to"), "{{to}}"),
        unit="cps",
    )
    yield graph(
        "Messages that changed nothing",
        "As the rules want it: merged with a later one, late, or of an older attempt.",
        (rates("pulse_ingest_ignored_total", "reason"), "{{reason}}"),
        unit="cps",
    )
    yield graph(
        "Put aside",
        "In the quarantine, by reason, a second.",
        (rates("pulse_quarantined_total", "reason"), "{{reason}}"),
        unit="cps",
    )


def _control() -> Iterator[Panel | Row]:
    yield Row("Control: campaign-svc to dispatchers")
    yield graph(
        "Campaigns that disagree",
        "Whose last control record is not what their row says.",
        ("max(pulse_control_disagreeing_campaigns)", "campaigns"),
    )
    yield graph(
        "Announcements",
        "By whether Kafka took them in time, a second.",
        (rates("pulse_control_announced_total", "taken"), "in time: {{taken}}"),
        unit="cps",
    )
    yield graph(
        "Outages that loops met",
        "In five minutes, by loop.",
        ("sum by (loop) (increase(pulse_loop_outages_total[5m]))", "{{loop}}"),
    )
