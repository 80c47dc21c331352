"""What a fleet has done so far, counted."""

import time
from collections import Counter
from dataclasses import dataclass, field

from fleetsim.device import Memory
from fleetsim.nature import Failure
from fleetsim.wire import Command

SUCCESS = "success"
"""The outcome of an update that went well; the others are the kinds of failure."""


@dataclass(slots=True)
class Tally:
    """`trouble` is the latest reason for being without connection. Times are monotonic, in seconds: `first_at` and
    `last_at` of commands, `busy_at` when a device or a command came last or an update ended.
    """

    connected: int = 0
    away: int = 0
    commands: int = 0
    acted_on: int = 0
    repeats: int = 0
    put_off: int = 0
    only_answered: int = 0
    refused: int = 0
    unreadable: int = 0
    missed: int = 0
    at_work: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    downloaded_bytes: int = 0
    reports: int = 0
    undelivered: int = 0
    unanswered: int = 0
    duplicates_sent: int = 0
    late_sent: int = 0
    storms: int = 0
    struck: int = 0
    trouble: str = ""
    first_at: float = 0.0
    last_at: float = 0.0
    busy_at: float = 0.0

    @property
    def succeeded(self) -> int:
        return self.outcomes[SUCCESS]

    @property
    def silent(self) -> int:
        return self.outcomes[Failure.SILENCE]

    @property
    def failed(self) -> int:
        return self.outcomes.total() - self.succeeded - self.silent

    @property
    def commands_per_second(self) -> float:
        """Between the first command and the last; 0 with fewer than two."""
        seconds = self.last_at - self.first_at
        return self.commands / seconds if seconds > 0 else 0.0

    def arrived(self) -> None:
        """A device has come to the broker."""
        self.connected += 1
        self.busy_at = time.monotonic()

    def took(self, command: Command, before: Memory, after: Memory) -> None:
        """A command came, and this is what it did to the device's memory."""
        self.last_at = self.busy_at = time.monotonic()
        if not self.commands:
            self.first_at = self.last_at
        self.commands += 1
        if command.issued_at <= before.handled:
            self.repeats += 1
        elif after.at_hand is command:
            self.acted_on += 1
        elif after.waiting is command:
            self.put_off += 1
        elif after.unsent and after.unsent[-1].error_code in {"expired", "bad_time"}:
            self.refused += 1
        else:
            self.only_answered += 1

    def began(self) -> None:
        self.at_work += 1

    def ended(self, outcome: str) -> None:
        """An update: `success` or the kind of failure."""
        self.at_work -= 1
        self.outcomes[outcome] += 1
        self.busy_at = time.monotonic()
