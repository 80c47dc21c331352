"""The HTTP side of every service: problem+json, request ids, `/healthz`, `/readyz`, `/metrics`, and serving it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import structlog
import uvicorn
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, disable_created_metrics, generate_latest
from starlette.types import ASGIApp

from pulse.runtime.described import PROBLEM_KIND, PROBLEM_SCHEMA, Responses, describe
from pulse.runtime.errors import StartRefused, Unanswered
from pulse.runtime.middleware import Measured, RequestIds, TooLargeProblems
from pulse.runtime.problems import handlers
from pulse.runtime.rate_limit import RateLimitHeaders
from pulse.runtime.rest import Answer
from pulse.runtime.tracing import TRACES

disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a second series, of its birth
READY = Gauge("pulse_ready", "1 when a part that the service needs answers, asked at each scrape", ["check"])
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
log = structlog.get_logger()
Check = Callable[[], Awaitable[bool]]
"""Whether a part answers; it may raise Unanswered in place of a no, to say why."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""For every router but those that take files."""


class ProblemField(Answer):
    """One field that is wrong; in a file, in which line."""

    field: str
    """Name of the field, dotted for nested ones (`stages.0.share`); `body` for the body as a whole."""
    code: str
    """What is wrong, in a stable word: `required`, `unknown_field`, `out_of_range`, `bad_format` and others."""
    detail: str
    """The same in words, for a person."""
    line: int = 0
    """Line of the file, from 1; 0 or left out where there is no file."""


class Problem(Answer):
    """RFC 9457: every error of every endpoint. `errors_total`: of a file, of which the first are named."""

    type: str
    """`urn:pulse-ota:problem:` and the `code`."""
    title: str
    """The kind of problem, for a person."""
    status: int
    """The answer's HTTP status, 400 to 599."""
    detail: str
    """What is wrong with this request, for a person."""
    code: str
    """What is wrong, in a stable word for programs; each operation names its own."""
    request_id: str
    """The request's id, as in the header `X-Request-Id` and in the services' logs."""
    errors: list[ProblemField]
    """The fields that are wrong; empty where it is no matter of fields."""
    errors_total: int = 0
    """Of a file: how many errors it has, of which `errors` names the first; else left out."""


_PROBLEM = {PROBLEM_KIND: {"schema": PROBLEM_SCHEMA}}
PROBLEMS: Responses = {
    "4XX": {"description": "Refused", "content": _PROBLEM},
    "5XX": {
        "description": "`unavailable` (503): a part that is needed does not answer; try again, as `Retry-After` says."
        "\n`internal` (500): the request failed; the services' logs have the reason under its `request_id`.",
        "content": _PROBLEM,
    },
}
"""For every router: what its OpenAPI says of errors."""


def create_app(
    title: str,
    *,
    ready: Mapping[str, Check],
    outages: Iterable[type[Exception]] = (),
) -> FastAPI:
    """An application without routes of its own.

    `ready` names what must answer for `/readyz`; `outages` are the errors of a part that is away (503);
    routers limit bodies: `APIRouter(max_body_size=MAX_BODY_BYTES)`.
    """
    app = _Described(
        title=title,
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an address of the caller's making: its Host, without https
        exception_handlers=handlers(outages),
        separate_input_output_schemas=False,
        telemetry={
            "tracing": TRACES.is_on,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope["path"] in PROBES,
        },
    )
    app.add_middleware(TooLargeProblems)
    app.add_middleware(RateLimitHeaders)
    app.add_middleware(Measured)
    app.add_middleware(RequestIds)
    app.state.limits = None
    _add_probes(app, ready)
    return app


class _Described(FastAPI):
    """Its OpenAPI has the form of problems, which no endpoint returns by itself, and what `describe` adds."""

    def openapi(self) -> dict[str, Any]:
        known = self.openapi_schema
        document = super().openapi()
        if document is not known:
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs") | {"Problem": problem}
            describe(document)
        return document


def _add_probes(app: FastAPI, ready: Mapping[str, Check]) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz(exclude: Annotated[frozenset[str], Query()] = frozenset()) -> JSONResponse:
        """`exclude`, as often as needed, names checks without which the asker still has use for the service."""
        said = await _answers({name: check for name, check in ready.items() if name not in exclude})
        answers = {name: answer is True for name, answer in said.items()}
        reasons = {name: answer for name, answer in said.items() if isinstance(answer, str)}
        content = {"ready": all(answers.values()), "checks": answers, **({"reasons": reasons} if reasons else {})}
        return JSONResponse(content, 200 if all(answers.values()) else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics(_: Request) -> Response:
        for name, answer in (await _answers(ready)).items():
            READY.labels(name).set(answer is True)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _answers(ready: Mapping[str, Check]) -> dict[str, bool | str]:
    """All are asked at once: with everything away an answer takes three seconds. A text is a no, and why."""
    async with asyncio.TaskGroup() as group:
        asked = {name: group.create_task(_answer(check)) for name, check in ready.items()}
    return {name: task.result() for name, task in asked.items()}


async def _answer(check: Check) -> bool | str:
    try:
        async with asyncio.timeout(3):
            return await check()
    except Unanswered as error:
        return str(error)
    except TimeoutError:
        return False


class _Server(uvicorn.Server):
    """Signals belong to the process, not to its HTTP server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, host: str, port: int, stop: asyncio.Event) -> None:
    """Serves until `stop`; requests at hand have five seconds to end, streams are cut.

    Raises StartRefused where the address is taken, or not of this machine.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
        proxy_headers=False,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(_serve(server, host, port), name="http")
        stopping = group.create_task(stop.wait(), name="http-stop")
        try:
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:  # also where another task has failed: a server that is cut off logs a trace of its own
            server.should_exit = True
            await asyncio.wait([serving])
            stopping.cancel()


async def _serve(server: uvicorn.Server, host: str, port: int) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # uvicorn's way to say that it cannot listen
        raise StartRefused(f"settings HTTP_HOST, HTTP_PORT: cannot listen on {host}:{port}") from error
