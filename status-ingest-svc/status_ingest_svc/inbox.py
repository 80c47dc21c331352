"""Messages wait here until there are enough for a batch, or the first has waited long enough."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Gives batches of at most `size`, in the order of arrival; waits for that many `linger` seconds at most."""

    def __init__(self, size: int, linger: float) -> None:
        self._size = size
        self._linger = linger
        self._items: deque[T] = deque()
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._since = 0.0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        if not self._items:
            self._since = asyncio.get_running_loop().time()
            self._some.set()
        self._items.append(item)
        if len(self._items) == self._size:
            self._enough.set()

    def clear(self) -> None:
        self._items.clear()
        self._some.clear()
        self._enough.clear()

    async def batch(self) -> list[T]:
        """The next batch, never empty."""
        while True:
            await self._some.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._since + self._linger):
                    await self._enough.wait()
            if self._items:
                return self._take()

    def _take(self) -> list[T]:
        taken = [self._items.popleft() for _ in range(min(self._size, len(self._items)))]
        if not self._items:
            self._some.clear()
        if len(self._items) < self._size:
            self._enough.clear()
        self._since = asyncio.get_running_loop().time()
        return taken
