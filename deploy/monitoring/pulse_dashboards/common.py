"""What every service is asked: how much, how often wrong, how long, how full."""

from collections.abc import Iterator

from pulse_dashboards.panels import Panel, Query, Row, graph, number

PROBES = 'route!~"/metrics|/readyz|/healthz"'
INTERVAL = "$__rate_interval"


def quantiles(metric: str, by: str = "", where: str = "", share: float = 0.95) -> str:
    """A quantile of a histogram over all that `where` selects, by the labels in `by`."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{where}}}[{INTERVAL}])))"


def spread(metric: str, where: str = "", high: float = 0.95) -> tuple[Query, Query]:
    """The median and a high quantile, by name."""
    return (quantiles(metric, where=where, share=0.5), "median"), (
        quantiles(metric, where=where, share=high),
        f"{high * 100:g} %",
    )


def rates(metric: str, by: str, where: str = "") -> str:
    """Events a second by the labels in `by`."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[{INTERVAL}]))"


def health(job: str) -> Iterator[Panel | Row]:
    """One line of numbers for a service."""
    yield number("Processes", "Replicas that answer.", f'sum(up{{job="{job}"}})')
    yield number(
        "Parts that answer",
        "Share of the parts that the service needs (database, Kafka, broker) that answer, the worst replica's.",
        f'min(avg by (instance) (pulse_ready{{job="{job}"}}))',
        unit="percentunit",
    )
    yield number(
        "Processor",
        "Cores in use, of all replicas.",
        f'sum(rate(process_cpu_seconds_total{{job="{job}"}}[{INTERVAL}]))',
    )
    yield number("Memory", "The largest replica's.", f'max(process_resident_memory_bytes{{job="{job}"}})', unit="bytes")
    yield number(
        "Event loop late",
        "95th percentile of how late timers ring: above 0.1 s a process has more to do than it can.",
        quantiles("pulse_event_loop_lag_seconds", where=f'job="{job}"'),
        unit="s",
    )
    yield number(
        "Oldest start",
        "How long the longest-lived replica has been up.",
        f'max(time() - process_start_time_seconds{{job="{job}"}})',
        unit="s",
    )


def http(job: str) -> Iterator[Panel | Row]:
    """Rate, errors and latency of a REST API, by route template."""
    of = f'job="{job}", {PROBES}'
    yield Row("REST API")
    yield graph(
        "Requests by route",
        "Answers a second.",
        (rates("pulse_http_requests_total", "method, route", of), "{{method}} {{route}}"),
        unit="reqps",
    )
    yield graph(
        "Answers by status",
        "5xx are the service's own failures, 4xx refusals.",
        (rates("pulse_http_requests_total", "status", of), "{{status}}"),
        unit="reqps",
        stacked=True,
    )
    yield graph(
        "Time to an answer's first byte",
        "95th percentile.",
        (quantiles("pulse_http_request_seconds", "method, route", of), "{{method}} {{route}}"),
        unit="s",
    )


def database(job: str) -> Iterator[Panel | Row]:
    """What a service has with PostgreSQL."""
    of = f'job="{job}"'
    yield Row("Database")
    yield graph(
        "Transactions",
        "A second, and how long they take.",
        (rates("pulse_db_transaction_seconds_count", "job", of), "transactions/s"),
        unit="ops",
    )
    yield graph(
        "Time of a transaction",
        "From begin to commit.",
        *spread("pulse_db_transaction_seconds", of),
        (quantiles("pulse_db_connection_wait_seconds", where=of), "95 % of the wait for a connection"),
        unit="s",
    )
    yield graph(
        "Connections",
        "Of all replicas: in use, and the most that the pool opens.",
        (f"sum by (pool) (pulse_db_pool_used_connections{{{of}}})", "{{pool}}: in use"),
        (f"sum by (pool) (pulse_db_pool_max_connections{{{of}}})", "{{pool}}: most"),
    )
