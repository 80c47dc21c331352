"""A small HTTP server for tests: it sends exactly the bytes that a test wants on the wire."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import format_datetime


def file(body: bytes, *, length: int | None = None, status: str = "200 OK", at: datetime | None = None) -> bytes:
    """An answer; `length` announces another size than that of the body, which then ends early.

    `at` is the server's time, in UTC; without one it does not say it.
    """
    date = f"Date: {format_datetime(at, usegmt=True)}\r\n" if at else ""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\n{date}Content-Length: {size}\r\nConnection: close\r\n\r\n".encode() + body


@asynccontextmanager
async def serving(answers: Mapping[str, bytes]) -> AsyncIterator[str]:
    """Serves answers by path, 404 for the rest, `/slow…` after half a second; gives the URL without a path."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split(b" ", 2)[1].decode()
        await asyncio.sleep(0.5 if path.startswith("/slow") else 0)
        writer.write(answers.get(path, file(b"", status="404 Not Found")))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
