"""Requests per second of REST services, asked by as many connections as keep them busy."""

import asyncio
import time
from collections.abc import Sequence
from itertools import count, cycle

from local_stack.ports import HOST
from tests.bench.site import Running

REQUESTS = 6_000
CONNECTIONS = 32
"""All replicas together."""
WITHOUT_LIMITS = {"RATE_LIMIT_TENANT": "1000000", "RATE_LIMIT_TOKEN": "1000000"}


async def rate(replicas: Sequence[Running], paths: Sequence[str], token: str) -> float:
    """GETs `paths` in turns, from all replicas alike; every answer must be a 200. Raises AssertionError."""
    asked = [_request(path, token) for path in paths]
    numbers = count()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _, replica in zip(range(CONNECTIONS), cycle(replicas), strict=False):
            group.create_task(_ask(replica.port, asked, numbers))
    return REQUESTS / (time.perf_counter() - began)


def _request(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def _ask(port: int, asked: Sequence[bytes], numbers: "count[int]") -> None:
    """Bare HTTP: a client library would need as much processor time as the service that it measures."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        while (number := next(numbers)) < REQUESTS:
            writer.write(asked[number % len(asked)])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head.decode()
            _, _, rest = head.lower().partition(b"content-length: ")
            await reader.readexactly(int(rest[: rest.index(b"\r")]))
    finally:
        writer.close()
