"""What one device received and sent, with times: for tests, and for whoever wants to know afterwards."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from fleetsim.wire import Command

What = Literal["connected", "disconnected", "received", "began", "ended", "sent", "lost"]
"""`sent`: the broker has answered; `lost`: the connection went before it did. `began`, `ended`: an update."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`at` in seconds since 1970; `reason_code` is the PUBACK's of something sent."""

    at: float
    what: What
    payload: bytes = b""
    reason_code: int = 0


@dataclass(slots=True)
class History:
    """Entries in the order in which they happened; nothing is kept when `kept` is False."""

    kept: bool = True
    entries: list[Entry] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, what: What, payload: bytes = b"", reason_code: int = 0) -> None:
        if self.kept:
            self.entries.append(Entry(time.time(), what, payload, reason_code))
            self._news.set()

    def payloads(self, what: What) -> list[bytes]:
        """The payloads of all that was received, or of all that was sent."""
        return [entry.payload for entry in self.entries if entry.what == what]

    async def until(self, holds: Callable[[Sequence[Entry]], bool], timeout: float = 10.0) -> None:
        """Wait until something holds of the entries; raises TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while not holds(self.entries):
                self._news.clear()
                await self._news.wait()


NOTHING = History(kept=False)
"""The history of all devices whose history nobody wants."""


def write_update(command: Command, outcome: str | None = None) -> bytes:
    """The payload of `began` and `ended`: which update, and how it has turned out."""
    fields = {"campaign_id": command.campaign_id, "attempt": command.attempt, "version": command.version}
    return msgspec.json.encode(fields if outcome is None else {**fields, "outcome": outcome})
