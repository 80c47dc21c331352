"""What every request passes: a request id and its measurements. Plain ASGI: streams stay streams."""

import re
import time
from uuid import uuid4

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pulse.runtime.errors import TooLarge
from pulse.runtime.problems import problem_response

REQUESTS = Counter("pulse_http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "pulse_http_request_seconds",
    "Time until an answer's first byte",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_PROGRESS = Gauge("pulse_http_requests_in_progress", "Requests at hand, open streams among them")
FAILED = 500
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Gives each request an id (the caller's `X-Request-ID`, if it is a sane one) in logs, answers and problems."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _given_id(scope) or uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, with_id)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return None


class Measured:
    """Counts and times requests by route template, never by path; one that failed without an answer counts as 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        answered = False

        def note(status: int) -> None:
            nonlocal answered
            answered = True
            route = getattr(scope.get("route"), "path", "unmatched")
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(scope["method"], route).observe(time.perf_counter() - begun)

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                note(message["status"])
            await send(message)

        with IN_PROGRESS.track_inprogress():
            try:
                await self.app(scope, receive, measured)
            finally:
                if not answered:  # what nobody foresaw is answered further out
                    note(FAILED)


class TooLargeProblems:
    """Turns the body limit's plain 413 (a declared length over it) into problem+json like every other refusal."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        replaced = False

        async def answered(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_plain_413(message):
                replaced = True
                await problem_response(scope, TooLarge("the body is over this path's limit"))(scope, receive, send)
            elif not replaced:
                await send(message)

        await self.app(scope, receive, answered)


def _is_plain_413(start: Message) -> bool:
    kind: bytes = dict(start["headers"]).get(b"content-type", b"")
    return bool(start["status"] == TooLarge.status) and kind.startswith(b"text/plain")
