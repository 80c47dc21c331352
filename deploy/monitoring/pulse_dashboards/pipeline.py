"""The way of a command and of its report: the lag at each stage, from left to right."""

from pulse_dashboards.common import quantiles, rates
from pulse_dashboards.panels import Json, Row, dashboard, graph, number


def lag(group: str) -> str:
    """Records that a consumer group has not committed; every replica of campaign-svc measures the same."""
    return f'sum(max by (partition) (pulse_kafka_group_lag_records{{group="{group}"}}))'


def made() -> Json:
    return dashboard(
        "pulse-pipeline",
        "Pipeline health",
        [
            number("Requests in Kafka", "Dispatch requests that are not settled yet.", lag("pulse-dispatcher")),
            number("In flight", "Commands that the broker has not answered.", "sum(pulse_dispatch_in_flight)"),
            number(
                "Knowledge",
                "Age of what dispatchers know of the campaigns; above 0.2 s they hold.",
                "max(pulse_dispatch_knowledge_age_seconds)",
                unit="s",
            ),
            number("Results in Kafka", "Dispatch results that ingest has not committed.", lag("pulse-status-ingest")),
            number(
                "Reports waiting", "Received from the broker, not in a batch yet.", "sum(pulse_ingest_waiting_reports)"
            ),
            number(
                "Ingest behind",
                "Age of the moment up to which all is taken in.",
                "max(pulse_sweep_knowledge_age_seconds)",
                unit="s",
            ),
            Row("1 Release: campaign-svc"),
            graph(
                "Devices claimed",
                "PENDING to QUEUED, a second.",
                (rates("pulse_devices_claimed_total", "job"), "claimed"),
                unit="cps",
            ),
            graph(
                "A campaign's tick",
                "Time that one takes; there are two a second.",
                (quantiles("pulse_campaign_tick_seconds", share=0.5), "median"),
                (quantiles("pulse_campaign_tick_seconds"), "95 %"),
                unit="s",
            ),
            graph(
                "Rows that a sweep moved",
                "overdue: requests past their time; silent: devices that said nothing; ended: abort or deadline.",
                (rates("pulse_devices_swept_total", "sweep"), "{{sweep}}"),
                unit="cps",
            ),
            Row("2 Dispatch: Kafka, dispatcher-svc, MQTT"),
            graph(
                "Lag of dispatch",
                "From a request's arrival in Kafka to its command on the socket, the wait for its token among it.",
                (quantiles("pulse_dispatch_lag_seconds", share=0.5), "median"),
                (quantiles("pulse_dispatch_lag_seconds", share=0.99), "99 %"),
                unit="s",
            ),
            graph(
                "Requests that wait",
                "In Kafka and in dispatchers together; and those in dispatchers alone.",
                (lag("pulse-dispatcher"), "not settled"),
                ("sum(pulse_dispatch_queued)", "waiting for a token"),
            ),
            graph(
                "Held back",
                "Share of the time in which due commands could not go, by the obstacle; the worst dispatcher.",
                ("max by (reason) (rate(pulse_dispatch_held_seconds_total[$__rate_interval]))", "{{reason}}"),
                unit="percentunit",
            ),
            graph(
                "How requests were settled",
                "A second.",
                (rates("pulse_dispatch_outcomes_total", "outcome"), "{{outcome}}"),
                unit="cps",
                stacked=True,
            ),
            graph(
                "The broker's answers",
                "PUBACK reason codes a second: 0 taken, 16 nobody subscribed, 128 and above refused.",
                (rates("pulse_dispatch_broker_answers_total", "reason_code"), "{{reason_code}}"),
                unit="cps",
            ),
            graph(
                "Connections to the broker",
                "Connects by how they ended, and connections that ended unasked, in five minutes.",
                ("sum by (result) (increase(pulse_mqtt_connects_total[5m]))", "{{result}}"),
                ("sum(increase(pulse_mqtt_connections_lost_total[5m]))", "lost"),
            ),
            Row("3 Ingest: MQTT and Kafka to PostgreSQL"),
            graph(
                "Messages taken in",
                "Reports and dispatch results a second.",
                (rates("pulse_ingest_reports_total", "job"), "reports"),
                (rates("pulse_ingest_results_total", "job"), "results"),
                unit="cps",
            ),
            graph(
                "Age of what is taken in",
                "By replica, and of all together (also of members that are gone): sweeps wait for the oldest.",
                ("pulse_ingest_caught_up_lag_seconds", "{{instance}}"),
                ("max(pulse_sweep_knowledge_age_seconds)", "all"),
                unit="s",
            ),
            graph(
                "Time of a batch",
                "From taking it to its commit.",
                (quantiles("pulse_ingest_batch_seconds", share=0.5), "median"),
                (quantiles("pulse_ingest_batch_seconds", share=0.99), "99 %"),
                unit="s",
            ),
            graph(
                "Changes of status",
                "Committed ones a second, by the new status.",
                (rates("pulse_ingest_transitions_total", "to"), "{{to}}"),
                unit="cps",
            ),
            graph(
                "Messages that changed nothing",
                "As the rules want it: merged with a later one, late, or of an older attempt.",
                (rates("pulse_ingest_ignored_total", "reason"), "{{reason}}"),
                unit="cps",
            ),
            graph(
                "Put aside",
                "In the quarantine, by reason, a second.",
                (rates("pulse_quarantined_total", "reason"), "{{reason}}"),
                unit="cps",
            ),
            Row("Control: campaign-svc to dispatchers"),
            graph(
                "Campaigns that disagree",
                "Whose last control record is not what their row says.",
                ("max(pulse_control_disagreeing_campaigns)", "campaigns"),
            ),
            graph(
                "Announcements",
                "By whether Kafka took them in time, a second.",
                (rates("pulse_control_announced_total", "taken"), "in time: {{taken}}"),
                unit="cps",
            ),
            graph(
                "Outages that loops met",
                "In five minutes, by loop.",
                ("sum by (loop) (increase(pulse_loop_outages_total[5m]))", "{{loop}}"),
            ),
        ],
    )
