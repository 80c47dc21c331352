"""A caller of a REST service in the test's own process: the real application on the real database."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OctKey

from pulse.runtime.auth import AuthSettings, Verifier
from tests.openapi import names_its_refusals

KEY = b"a test's own secret of more than 32 bytes"


def verifier(folder: Path) -> Verifier:
    """Accepts tokens that `token` makes."""
    path = folder / "auth.key"
    path.write_bytes(KEY)
    return Verifier(AuthSettings(auth_key_file=path))


def token(role: str = "operator", tenant: str = "acme", **claims: Any) -> str:
    """A bearer token; `role` may be several, with commas between."""
    content = {
        "sub": f"{role}@{tenant}",
        "tenant_id": tenant,
        "roles": role.split(","),
        "aud": "pulse-ota",
        "exp": int(time.time()) + 600,
    } | claims
    return jwt.encode({"alg": "HS256"}, content, OctKey.import_key(KEY))


class Caller:
    """Requests with a token; what is refused shows its problem."""

    def __init__(self, client: httpx.AsyncClient, bearer: str | None, headers: Mapping[str, str] | None = None) -> None:
        self.client = client
        self.bearer = bearer
        self.headers = dict(headers or {}) | ({"authorization": f"Bearer {bearer}"} if bearer else {})

    def as_(self, role: str = "operator", tenant: str = "acme") -> "Caller":
        return Caller(self.client, token(role, tenant))

    def with_headers(self, **headers: str) -> "Caller":
        """The same caller; `_` in a header's name stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Caller(self.client, self.bearer, self.headers | named)

    async def upload(self, path: str, body: str | bytes, kind: str = "text/csv", **query: object) -> httpx.Response:
        """POSTs a file."""
        headers = self.headers | {"content-type": kind}
        return await self.client.post(path, content=body, headers=headers, params=_texts(query))

    async def ask(self, method: str, path: str, body: object = None, **query: object) -> httpx.Response:
        return await self.client.request(
            method,
            path,
            json=body,
            params=_texts(query),
            headers=self.headers,
        )

    async def open(self, path: str) -> httpx.Response:
        """The beginning of a stream's answer; of a refusal all."""
        async with self.client.stream("GET", path, headers=self.headers) as answer:
            if answer.status_code != 200:
                await answer.aread()
        return answer

    async def get(self, path: str, **query: object) -> Any:
        """The answer's body; fails on anything but 200."""
        return _good(await self.ask("GET", path, **query), 200)

    async def post(self, path: str, body: object = None, *, status: int = 200, **query: object) -> Any:
        """The answer's body; fails on anything but `status`."""
        return _good(await self.ask("POST", path, body, **query), status)

    async def refused(self, method: str, path: str, body: object = None, **query: object) -> tuple[int, str, list[str]]:
        """Status, code and the fields named; fails when it is no problem+json."""
        answer = await self.ask(method, path, body, **query)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        problem = answer.json()
        assert problem["status"] == answer.status_code, problem
        assert problem["request_id"], problem
        assert problem["detail"], problem
        return answer.status_code, problem["code"], [error["field"] for error in problem["errors"]]


def _texts(query: Mapping[str, object]) -> dict[str, str] | None:
    return {name: str(value) for name, value in query.items()} or None


def _good(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json() if answer.content else None


def caller(app: FastAPI) -> Caller:
    """An operator of tenant acme; a refusal that the OpenAPI does not name fails the test."""
    hooks = {"response": [names_its_refusals(app)]}
    transport = httpx.ASGITransport(app)
    return Caller(httpx.AsyncClient(transport=transport, base_url="http://test", event_hooks=hooks), token())
