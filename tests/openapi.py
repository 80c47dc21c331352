"""What the OpenAPI says, for tests: its operations, and the problems that each of them names."""

import re
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

PROBLEM = "application/problem+json"
Document = dict[str, Any]
Hook = Callable[[httpx.Response], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Described:
    """An operation of a document."""

    document: Document
    method: str
    path: str
    said: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def codes(self) -> set[str]:
        """The codes of refusals that it names."""
        contents = [answer.get("content", {}).get(PROBLEM, {}) for answer in self.said["responses"].values()]
        return {code for content in contents for code in content.get("examples", {})}

    def is_of(self, method: str, path: str) -> bool:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path))
        return method.lower() == self.method and re.fullmatch(pattern, path) is not None


def operations(documents: Iterable[Document]) -> Iterator[Described]:
    for document in documents:
        for path, methods in document["paths"].items():
            for method, said in methods.items():
                yield Described(document, method, path, said)


def names_its_refusals(*apps: FastAPI) -> Hook:
    """For a client: every refusal that it gets must be one that the OpenAPI of its operation names."""
    known: list[Described] = []

    async def check(answer: httpx.Response) -> None:
        if answer.status_code >= 500 or answer.headers.get("content-type") != PROBLEM:
            return
        if not known:
            known.extend(operations(app.openapi() for app in apps))
        await answer.aread()
        code = answer.json()["code"]
        path = answer.request.url.raw_path.decode().partition("?")[0]
        asked = [one for one in known if one.is_of(answer.request.method, path)]
        exact = min(asked, key=lambda one: one.path.count("{"), default=None)
        unnamed = exact is not None and code not in exact.codes()
        assert not unnamed, f"{exact and exact.name} answers {code}: give its class to problems(…) of the route"

    return check
