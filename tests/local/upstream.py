"""A small HTTP server at the wire, to stand behind the gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from local_stack.ports import HOST


@dataclass
class Upstream:
    """Answers with its name; remembers the targets that it was asked for."""

    name: str
    port: int = 0
    targets: list[str] = field(default_factory=list)
    finish_stream: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ", 2)[1].decode()
        self.targets.append(target)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
        if target.endswith("/events"):
            writer.write(b"Content-Type: text/event-stream\r\n\r\ndata: first\n\n")
            await writer.drain()
            await self.finish_stream.wait()
        else:
            writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(self.name), self.name.encode()))
        writer.close()


@asynccontextmanager
async def upstream(name: str) -> AsyncIterator[Upstream]:
    served = Upstream(name)
    server = await asyncio.start_server(served.serve, HOST, 0)
    served.port = int(server.sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        server.close()
