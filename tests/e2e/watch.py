"""What is seen of the rows of a test's tenant, as lines of a history in seconds since 1970."""

import time
from collections.abc import Iterable

import asyncpg

from tests.chaos import watch
from tests.chaos.checker import rows
from tests.chaos.checker.story import Story
from tests.chaos.history import Asked, Line
from tests.chaos.watch import CAMPAIGNS, ROWS, Record

__all__ = ["CAMPAIGNS", "ROWS", "Record", "Watch"]


class Watch(watch.Watch):
    """Looks at one tenant and keeps what it sees."""

    def __init__(self, database: asyncpg.Pool, tenant: str) -> None:
        self.lines: list[Line] = []
        super().__init__(database, [tenant], self.lines.append, time.time)

    def broken(self, asked: Iterable[Asked] = ()) -> list[str]:
        """What the rows show to be wrong so far; `asked`: an operator's retries, which excuse what they change."""
        story = Story([*self.lines, *asked])
        checks = (rows.miscounted, rows.twice_active, rows.reopened)
        return [breach.sentence for find in checks for breach in find(story)]
