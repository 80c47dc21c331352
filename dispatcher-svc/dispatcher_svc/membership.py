"""Whether this process surely still owns its partitions: an answered commit proves it, as of when it was sent. Pure."""

NEVER = float("-inf")


class Membership:
    """Holds for half the session timeout after the last proof, so a successor (who gets the partitions only after the
    whole timeout) never publishes beside us. `lasts` and times in seconds, of one monotonic clock.
    """

    def __init__(self, session_timeout: float) -> None:
        self.lasts = session_timeout / 2
        self._proven_at = NEVER
        self.term = 0

    def reset(self) -> None:
        """The assignment has changed: answers to commits that were sent under the old one prove nothing any more."""
        self.term += 1
        self._proven_at = NEVER

    def proven(self, sent_at: float, term: int) -> None:
        """A commit that was sent at `sent_at`, in `term`, has been answered."""
        if term == self.term:
            self._proven_at = max(self._proven_at, sent_at)

    def holds(self, now: float) -> bool:
        return now - self._proven_at <= self.lasts

    def age(self, now: float) -> float:
        """Seconds since the last proof was sent; infinite without one."""
        return now - self._proven_at
