"""A small identity provider: its keys over real HTTP, and tokens signed with them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

Key = RSAKey | ECKey


@cache
def made(kid: str, algorithm: str) -> Key:
    """Always the same key: making one takes a while."""
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", {"kid": kid})
    return RSAKey.generate_key(2048, {"kid": kid})


class IdentityProvider:
    """`keys` are what it publishes and can be changed at any time; `answer` replaces what it publishes."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.answer: bytes | None = None
        self.requests = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json"

    def add(self, kid: str, algorithm: str = "RS256") -> Key:
        self.keys[kid] = made(kid, algorithm)
        return self.keys[kid]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answers within this block, on the same port each time."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        published = {"keys": [key.as_dict(private=False) for key in self.keys.values()]}
        body = json.dumps(published).encode() if self.answer is None else self.answer
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()


def claims(**more: object) -> dict[str, Any]:
    known = {
        "sub": "ann", "tenant_id": "acme", "roles": ["viewer"], "aud": "pulse-ota", "iss": "https://id.example.com",
        "exp": int(time.time()) + 600,
    }  # fmt: skip
    return {name: value for name, value in (known | more).items() if value is not None}


def signed(key: Key, algorithm: str = "RS256", kid: str | None = None, **more: Any) -> str:
    """A token of `claims(**more)`."""
    return jwt.encode({"alg": algorithm, "kid": kid or key.kid}, claims(**more), key, algorithms=[algorithm])
