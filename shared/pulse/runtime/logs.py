"""Logs are events with fields, one JSON object a line on standard output."""

import logging
import sys

import structlog

from pulse.runtime.tracing import TRACES

REPEAT_SECONDS = 10.0


class OnceInAWhile(logging.Filter):
    """Lets a message of a library through once in ten seconds: a client whose broker is away repeats itself."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = record.name, str(record.msg)
        if record.created - self._last.get(key, 0.0) < REPEAT_SECONDS:
            return False
        self._last[key] = record.created
        return True


def configure(service: str, level: str = "INFO") -> None:
    """Sends structlog and the standard library's logging the same way; `service` is in every line.

    With traces on, a line that belongs to one has its `trace_id` and `span_id`.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        lambda _, __, event: {"service": service, **event},
        *((TRACES.in_log,) if TRACES.is_on else ()),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(OnceInAWhile())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, getattr(logging, level)))
