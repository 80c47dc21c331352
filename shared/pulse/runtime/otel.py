"""OpenTelemetry behind `tracing.py`: imported only where traces are on."""

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from threading import Thread
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, set_span_in_context

from pulse.runtime.tracing import Update

FLUSH_SECONDS = 2.0
NANO = 1_000_000_000


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose ids are `given`."""

    given: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.given[0] if self.given else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.given[1] if self.given else super().generate_span_id()


class Otel:
    """A provider that exports by OTLP over HTTP in batches, on a thread of its own; what is too much is dropped."""

    def __init__(self, service: str) -> None:
        self._ids = _Ids()
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
        self._provider = TracerProvider(resource=Resource.create(named), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(self._provider)
        self._tracer = trace.get_tracer("pulse")

    def flush(self) -> None:
        """A collector that is away must not keep the process from ending."""
        flushing = Thread(target=self._provider.force_flush, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)

    def traceparent(self, update: Update) -> str:
        trace_id, span_id = update.ids
        return f"00-{trace_id:032x}-{span_id:016x}-{self._flags(trace_id):02x}"

    def step(
        self, name: str, update: Update, began: float, ended: float, first: bool, attributes: Mapping[str, str | int]
    ) -> None:
        started = self._first(name, update, began) if first else self._later(name, update, began)
        if started.is_recording():
            who: dict[str, str | int] = {
                "tenant": update.tenant_id,
                "campaign": update.campaign_id,
                "device": update.device_id,
            }
            for key, value in (who | dict(attributes)).items():
                started.set_attribute(f"pulse.{key}", value)
        started.end(_nano(ended))

    def _first(self, name: str, update: Update, began: float) -> Span:
        self._ids.given = update.ids
        try:
            return self._tracer.start_span(name, Context(), SpanKind.PRODUCER, links=_batch(), start_time=_nano(began))
        finally:
            self._ids.given = None

    def _later(self, name: str, update: Update, began: float) -> Span:
        trace_id, span_id = update.ids
        first = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(self._flags(trace_id)))
        context = set_span_in_context(NonRecordingSpan(first), Context())
        return self._tracer.start_span(name, context, SpanKind.CONSUMER, links=_batch(), start_time=_nano(began))

    def _flags(self, trace_id: int) -> int:
        """Whether the trace is sampled: every process comes to the same answer, if all are told the same share."""
        sampled = self._provider.sampler.should_sample(None, trace_id, "update").decision.is_sampled()
        return TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT

    def span(self, name: str, begins: bool) -> AbstractContextManager[object]:
        return self._tracer.start_as_current_span(name) if begins or _is_traced() else nullcontext()

    def statement(self, record: Any) -> None:
        """A statement that asyncpg has just run; `record.elapsed` in seconds. Its parameters stay out of it."""
        if not _is_traced():
            return
        now = time.time()
        words = record.query.split(None, 1)
        span = self._tracer.start_span(
            words[0].upper() if words else "SQL", kind=SpanKind.CLIENT, start_time=_nano(now - record.elapsed)
        )
        if span.is_recording():
            span.set_attributes(
                {"db.system.name": "postgresql", "db.query.text": " ".join(record.query.split())[:2000]}
            )
        span.end(_nano(now))

    def present(self) -> dict[str, str]:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _is_traced() -> bool:
    return trace.get_current_span().get_span_context().is_valid


def _batch() -> list[Link]:
    """The present span as a link."""
    return [Link(trace.get_current_span().get_span_context())] if _is_traced() else []


def _nano(seconds: float) -> int:
    return int(seconds * NANO)
