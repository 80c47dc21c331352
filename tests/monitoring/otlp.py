"""A collector that keeps what it is sent: OTLP over HTTP as it is on the wire."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from local_stack.ports import HOST


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it arrived; ids in hexadecimal digits, `parent` empty for the first of a trace. Times in seconds."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    began: float
    ended: float
    attributes: dict[str, str | int]
    links: tuple[str, ...]


class Collector:
    """All spans so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Span] = []

    def of(self, campaign: int, device: str) -> list[Span]:
        """The spans of a device's update, oldest first."""
        wanted = {"pulse.campaign": campaign, "pulse.device": device}
        found = [span for span in self.spans if wanted.items() <= span.attributes.items()]
        return sorted(found, key=lambda span: span.began)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port that the kernel gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            raw = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            if self.path == "/v1/traces":
                collector.spans += _spans(ExportTraceServiceRequest.FromString(raw))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    collector = Collector(f"http://{HOST}:{server.server_address[1]}")
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = str(_plain(resource.resource.attributes)["service.name"])
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.start_time_unix_nano / 1e9,
                    span.end_time_unix_nano / 1e9,
                    _plain(span.attributes),
                    tuple(link.span_id.hex() for link in span.links),
                )


def _plain(attributes: Iterable[KeyValue]) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in attributes}
