"""Errors become RFC 9457 problem+json with a stable code, the fields concerned, and the request's id."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from pulse.contracts import names
from pulse.runtime.errors import (
    FieldError,
    FieldFault,
    Invalid,
    OtaError,
    Replay,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unreadable,
    UnsupportedMediaType,
)

log = structlog.get_logger()

_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_short",
    "too_long": "too_long",
    "string_pattern_mismatch": "bad_format",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "out_of_range",
    "literal_error": "not_allowed",
    "enum": "not_allowed",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


def problem_response(scope: Scope, error: OtaError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a refusal."""
    return _problem(scope, error.status, error.code, error.title, error.detail, error.errors, headers, error.extensions)


def _problem(
    scope: Scope,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: tuple[FieldError, ...] = (),
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, int] | None = None,
) -> JSONResponse:
    body = {
        **(extensions or {}),
        "type": f"urn:pulse-ota:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": scope.get("state", {}).get("request_id", ""),
        "errors": [asdict(e) for e in errors],
    }
    return JSONResponse(body, status, dict(headers or {}), "application/problem+json")


def handlers(outages: Iterable[type[Exception]]) -> dict[int | type[Exception], Callable[[Request, Any], Any]]:
    """FastAPI's exception handlers; `outages` (a database that is away) are 503 wherever they show."""
    unavailable: dict[int | type[Exception], Callable[[Request, Any], Any]] = dict.fromkeys(outages, _unavailable)
    return unavailable | {
        OtaError: _refusal,
        Replay: _replayed,
        RequestValidationError: _validation,
        HTTPException: _http,
        Exception: _failure,
    }


async def _refusal(request: Request, error: OtaError) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.wait)
    return problem_response(request.scope, error, headers)


async def _replayed(_: Request, replay: Replay) -> Response:
    headers = {"idempotency-replayed": "true"}
    return Response(replay.answer, replay.status, headers, media_type="application/json")


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("unavailable", error=repr(error))
    return problem_response(request.scope, Unavailable("the database does not answer; try again"), {"retry-after": "1"})


async def _http(request: Request, error: HTTPException) -> Response:
    title = HTTPStatus(error.status_code).phrase
    code = _HTTP_CODES.get(error.status_code, "http_error")
    headers = {"allow": _allowed(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return _problem(request.scope, error.status_code, code, title, str(error.detail), headers=headers)


def _allowed(request: Request) -> str:
    """Every method of the path; the framework names only those of the first route that fits."""

    def known(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(filter(known, METHODS))


async def _failure(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return problem_response(request.scope, OtaError("the request failed; the log has the reason under its request id"))


async def _validation(request: Request, error: RequestValidationError) -> Response:
    if error.body and isinstance(error.body, bytes):  # what was not read: its type is not JSON
        detail = "the body must be JSON: send it with `Content-Type: application/json`"
        return problem_response(request.scope, UnsupportedMediaType(detail))
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return problem_response(request.scope, Unreadable("the body is not JSON"))
    errors = tuple(field_error(e) for e in found)
    return problem_response(request.scope, Invalid(f"{errors[0].field}: {errors[0].detail}", errors=errors))


def field_error(error: Mapping[str, Any]) -> FieldError:
    """One of pydantic's errors in our words: the field without its place (body, query), a stable code."""
    place = [str(part) for part in error["loc"] if part not in {"body", "query", "path", "header"}]
    fault = error.get("ctx", {}).get("error")
    if isinstance(fault, FieldFault):
        place.append(fault.field)
    kind = str(error["type"])
    code = _CODES.get(kind, "wrong_type" if kind.endswith(("_type", "_parsing")) else "invalid")
    return FieldError(".".join(place) or "body", code, _words(error))


def _words(error: Mapping[str, Any]) -> str:
    """What is wrong, for a person."""
    context = error.get("ctx", {})
    if context.get("pattern") in names.RULES:
        return names.RULES[context["pattern"]]
    if error["type"] in {"string_too_short", "missing"} and context.get("min_length", 1) == 1:
        return "must not be empty" if error["type"] == "string_too_short" else "is needed"
    return str(error["msg"]).removeprefix("Value error, ")
