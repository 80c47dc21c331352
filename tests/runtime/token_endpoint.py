"""The token endpoint of a small identity provider, over real HTTP."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, unquote_plus


class TokenEndpoint:
    """Gives its client what `answer` makes, a status and a body; anybody else 401. `forms`: what was asked."""

    client_id, secret = "pulse svc", "s3cr3t/+&"

    def __init__(self, answer: Callable[[], tuple[str, Any]]) -> None:
        self.answer = answer
        self.forms: list[dict[str, list[str]]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/oauth2/token"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "KAFKA_OAUTH_TOKEN_URL": self.url,
            "KAFKA_OAUTH_CLIENT_ID": self.client_id,
            "KAFKA_OAUTH_CLIENT_SECRET": self.secret,
        }

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
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        form = await reader.readexactly(int(fields["content-length"]))
        self.forms.append(parse_qs(form.decode()))
        known = self._knows(fields.get("authorization", ""))
        status, said = self.answer() if known else ("401 Unauthorized", {"error": "invalid_client"})
        body = json.dumps(said).encode()
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    def _knows(self, authorization: str) -> bool:
        scheme, _, pair = authorization.partition(" ")
        client_id, _, secret = base64.b64decode(pair).decode().partition(":")
        return (scheme, unquote_plus(client_id), unquote_plus(secret)) == ("Basic", self.client_id, self.secret)
