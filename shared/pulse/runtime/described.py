"""What a service's OpenAPI says besides what FastAPI reads from its routes: roles, problems by code, summaries."""

from copy import deepcopy
from inspect import cleandoc
from typing import Any

from pulse.runtime.errors import (
    Forbidden,
    Invalid,
    OtaError,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unreadable,
    UnsupportedMediaType,
)
from pulse.runtime.once import IdempotencyMismatch

Responses = dict[int | str, dict[str, Any]]
PROBLEM_KIND = "application/problem+json"
PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}
ALWAYS = (Unauthenticated, Forbidden, TooManyRequests)
WITH_BODY = (Unreadable, TooLarge, UnsupportedMediaType)


def problems(*refusals: type[OtaError]) -> Responses:
    """The `responses` of a route that refuses with these, besides what every route refuses with."""
    responses: Responses = {}
    for refusal in refusals:
        _add(responses, refusal.status, refusal)
    return responses


def describe(document: dict[str, Any]) -> None:
    """Completes a new OpenAPI of FastAPI's in its place."""
    for operation in (each for path in document.get("paths", {}).values() for each in path.values()):
        operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
        _name_roles(operation)
        _name_problems(operation)
        stream = operation["responses"].get("200", {}).get("content", {}).get("text/event-stream", {})
        stream.get("schema", {}).pop("type", None)  # FastAPI calls it a string, beside the data's own form
    document["components"]["examples"] = {
        one.code: _example(one) for one in _every(OtaError) if _is_used(document, one)
    }


def _name_roles(operation: dict[str, Any]) -> None:
    """FastAPI has the roles as scopes, all of which a client would have to ask for; one of them is enough."""
    for security in operation.get("security", []):
        [(scheme, roles)] = security.items()
        security[scheme] = []
        operation["x-roles"] = roles
        said = operation.get("description", operation["summary"])
        operation["description"] = f"{said}\n\nOne of the roles {', '.join(f'`{role}`' for role in roles)}."


def _name_problems(operation: dict[str, Any]) -> None:
    responses = deepcopy(operation["responses"])
    names = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
    has_body = "requestBody" in operation
    for refusal in (
        *ALWAYS,
        *(WITH_BODY if has_body else ()),
        *((Invalid,) if has_body or names else ()),
        *((IdempotencyMismatch,) if "idempotency-key" in names else ()),
    ):
        _add(responses, str(refusal.status), refusal)
    operation["responses"] = dict(sorted(responses.items()))


def _add(responses: dict[Any, dict[str, Any]], status: int | str, refusal: type[OtaError]) -> None:
    """One more code of an answer with this status."""
    empty = {"description": "", "content": {PROBLEM_KIND: {"schema": PROBLEM_SCHEMA, "examples": {}}}}
    response = responses.setdefault(status, empty)
    examples = response["content"][PROBLEM_KIND]["examples"]
    if refusal.code not in examples:
        examples[refusal.code] = {"$ref": f"#/components/examples/{refusal.code}"}
        response["description"] = f"{response['description']}\n`{refusal.code}`: {_meaning(refusal)}".strip()


def _meaning(refusal: type[OtaError]) -> str:
    """The first paragraph of the class's own text."""
    text = cleandoc(refusal.__dict__.get("__doc__") or refusal.title)
    return text.split("\n\n", maxsplit=1)[0].replace("\n", " ")


def _example(refusal: type[OtaError]) -> dict[str, Any]:
    value = {
        "type": f"urn:pulse-ota:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": _meaning(refusal),
        "code": refusal.code,
        "request_id": "0f5c1d5e-8d0f-4b6e-9c9e-3f1f5f0f7a11",
        "errors": [],
    }
    return {"summary": _meaning(refusal), "value": value}


def _every(refusal: type[OtaError]) -> list[type[OtaError]]:
    """The class and all below it, by code."""
    found = [refusal, *(one for below in refusal.__subclasses__() for one in _every(below))]
    return sorted(found, key=lambda one: one.code)


def _is_used(document: dict[str, Any], refusal: type[OtaError]) -> bool:
    operations = [each for path in document["paths"].values() for each in path.values()]
    response = str(refusal.status)
    return any(
        refusal.code
        in operation["responses"].get(response, {}).get("content", {}).get(PROBLEM_KIND, {}).get("examples", {})
        for operation in operations
    )
