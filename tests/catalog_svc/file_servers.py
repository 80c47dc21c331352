"""Little HTTP servers on 127.0.0.1, each of which answers in its own way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from local_stack.ports import HOST, free_ports

Speak = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class FileServer:
    """`asked`: the requests so far; `sent`: bytes of bodies that went out."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0

    def url(self, path: str = "/f.bin", host: str = HOST) -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def methods(self) -> list[str]:
        return [one.method for one in self.asked]


@asynccontextmanager
async def serving(
    answer: Callable[[FileServer, Asked], bytes] | None, endless: bytes = b""
) -> AsyncIterator[FileServer]:
    """Sends what `answer` gives for a request, then `endless` until the other side hangs up. None: nothing at all."""
    [port] = free_ports(1)
    server = FileServer(port)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _request(reader):
                server.asked.append(request)
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer(server, request))
                await writer.drain()
                while endless and request.method == "GET":
                    writer.write(endless)
                    await writer.drain()
                    server.sent += len(endless)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(speak, HOST, port):
        yield server


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    return Asked(
        method, path, {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    )


def head(status: int, **headers: object) -> bytes:
    """An answer's head; `_` in a header's name stands for `-`."""
    lines = [f"HTTP/1.1 {status} x", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
