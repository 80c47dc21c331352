"""How long to wait before the next attempt to connect."""

import random
from collections.abc import Iterator

LEAST = 0.1
MOST = 5.0


def delays() -> Iterator[float]:
    """Seconds, without end: each at random between 0.1 and a ceiling that doubles from 0.2 up to 5."""
    ceiling = 2 * LEAST
    while True:
        yield random.uniform(LEAST, ceiling)  # noqa: S311  spreads clients out, keeps no secret
        ceiling = min(2 * ceiling, MOST)
