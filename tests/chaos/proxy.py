"""A TCP proxy between two parts, that can cut, delay and swallow what goes through it."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, cast

from local_stack.ports import HOST

WAKE_SECONDS = 0.005
HELD_BYTES = 4 * 1024 * 1024
"""So much of one direction is held before the sender is made to wait."""
Tap: TypeAlias = Callable[[bytes, float, float], None]
"""Sees what a client has written: the bytes, when they were written at the earliest, and when they were read."""


class Awake:
    """Since when a socket's bytes may have waited for this process: `at`, a moment before it last looked for any."""

    def __init__(self) -> None:
        self.at = self._last = time.monotonic()

    async def keep(self) -> None:
        """Until cancelled. The last note may have been made after the last look, in the same round of the loop; the one
        before it was made in an earlier round.
        """
        while True:
            await asyncio.sleep(WAKE_SECONDS)
            self.at, self._last = self._last, time.monotonic()


class Side(asyncio.Protocol):
    """One end of a connection. What it reads goes to its peer: in order, late by the link's delay, never in a hole."""

    def __init__(self, link: "Link", tap: Tap | None = None) -> None:
        self._link = link
        self._tap = tap
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._held = 0
        self._timer: asyncio.TimerHandle | None = None
        self.peer: Side | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self._tap is not None:
            self._tap(data, self._link.awake.at, now)
        self._held += len(data)
        if self._held > HELD_BYTES and self.transport is not None:
            self.transport.pause_reading()
        self._put(now, data)

    def eof_received(self) -> bool:
        self._put(time.monotonic(), None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._put(time.monotonic(), None)
        self._link.forget(self)

    def _put(self, now: float, data: bytes | None) -> None:
        due = now + self._link.delay
        self._queue.append((max(due, self._queue[-1][0]) if self._queue else due, data))
        self.flush()

    def flush(self) -> None:
        """Hands on what is due; asks to be called again for the rest."""
        peer = self.peer
        if self._link.is_hole or peer is None or peer.transport is None:
            return
        now = time.monotonic()
        while self._queue and self._queue[0][0] <= now:
            _, data = self._queue.popleft()
            if data is None:
                peer.transport.close()
                return
            self._held -= len(data)
            peer.transport.write(data)
        if self.transport is not None and self._held <= HELD_BYTES:
            self.transport.resume_reading()
        if self._queue and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._queue[0][0] - now, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.flush()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Link:
    """All connections of one part to another. `tap` is called for each connection and makes what sees its bytes."""

    def __init__(self, name: str, port: int, upstream: int, awake: Awake, tap: Callable[[], Tap] | None = None) -> None:
        self.name = name
        self.port = port
        self.awake = awake
        self.delay = 0.0
        self.is_hole = False
        self._upstream = upstream
        self._tap = tap
        self._sides: set[Side] = set()
        self._arrivals: asyncio.Queue[Side] = asyncio.Queue()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def connections(self) -> int:
        return sum(side.transport is not None for side in self._sides) // 2

    # What can be done to it

    def cut(self) -> None:
        """Resets all connections; new ones are possible at once."""
        for side in list(self._sides):
            side.abort()

    def slow(self, seconds: float) -> None:
        """From now on everything arrives so much later, in both directions; 0: no more."""
        self.delay = seconds

    def swallow(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        self.is_hole = True
        self._open.clear()

    def lift(self) -> None:
        """As before; what was held on its way arrives now."""
        self.is_hole, self.delay = False, 0.0
        self._open.set()
        for side in list(self._sides):
            side.flush()

    # How it works

    def forget(self, side: Side) -> None:
        self._sides.discard(side)

    def _accepted(self) -> Side:
        side = Side(self, self._tap() if self._tap is not None else None)
        self._arrivals.put_nowait(side)
        return side

    async def run(self) -> None:
        """Serves until cancelled."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accepted, HOST, self.port)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    side = await self._arrivals.get()
                    group.create_task(self._connect(side), name=f"{self.name} connects")
        finally:
            server.close()
            self.cut()

    async def _connect(self, client: Side) -> None:
        self._sides.add(client)
        await self._open.wait()
        if self.delay:
            await asyncio.sleep(self.delay)
        try:
            _, server = await asyncio.get_running_loop().create_connection(lambda: Side(self), HOST, self._upstream)
        except OSError:
            client.abort()
            return
        self._sides.add(server)
        client.peer, server.peer = server, client
        for side in (client, server):
            side.flush()


@asynccontextmanager
async def running(*links: Link) -> AsyncIterator[None]:
    """All of them serve while the block runs."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(link.run(), name=link.name) for link in links]
        tasks += [group.create_task(link.awake.keep()) for link in links[:1]]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
