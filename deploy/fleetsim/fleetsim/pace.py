"""How fast devices come: a queue in which everybody waits for a turn."""

import asyncio


class Pace:
    """`rate` turns a second; None: as many as want to."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._next = 0.0

    async def turn(self, number: int = 1) -> None:
        """Wait until it is the turn of so many at once."""
        if self._rate is None:
            return
        now = asyncio.get_running_loop().time()
        mine = max(self._next, now)
        self._next = mine + number / self._rate
        await asyncio.sleep(mine - now)
