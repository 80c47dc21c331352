"""The token bucket that keeps a rate: pure, time is an argument."""


class Bucket:
    """At most `burst + rate · window` tokens leave in any window, and no fewer when all are asked for at once.

    It is kept as the one moment at which the bucket will be full: no rounding adds up, and a stall of any length
    earns no more than the burst. `rate` in tokens per second (> 0), `burst` in tokens (>= 1), times in seconds of
    one monotonic clock. `empty_at` is when it was empty.
    """

    __slots__ = ("_full_at", "burst", "rate")

    def __init__(self, rate: float, burst: float, empty_at: float) -> None:
        self.rate = rate
        self.burst = burst
        self._full_at = empty_at + burst / rate

    @property
    def due(self) -> float:
        """When the next token is there (possibly in the past)."""
        return self._full_at - (self.burst - 1) / self.rate

    @property
    def full_at(self) -> float:
        """Since when, or at what time, the bucket holds its burst."""
        return self._full_at

    def left(self, now: float) -> float:
        """How many tokens are there."""
        return self.burst - min(self.burst, max(0.0, self._full_at - now) * self.rate)

    def take(self, now: float) -> bool:
        """Takes a token, if there is one."""
        if now < self.due:
            return False
        self._full_at = max(self._full_at, now) + 1 / self.rate
        return True

    def change(self, rate: float, burst: float, now: float) -> None:
        """From `now` on another rate and burst; the tokens at hand stay, as far as the new burst allows."""
        tokens = min(burst, self.left(now))
        self.rate, self.burst = rate, burst
        self._full_at = now + (burst - tokens) / rate
