"""Campaigns set aside: what nobody expected of one of them holds up no other."""

import time
from collections.abc import Callable, Collection

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0


class Aside:
    """Campaigns whose tick failed, each tried again after a pause that doubles from 1 s to 60 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pauses: dict[int, float] = {}
        self._until: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._pauses)

    def __contains__(self, campaign_id: int) -> bool:
        """Whether the campaign's pause lasts still."""
        return self._until.get(campaign_id, 0.0) > self._clock()

    def put(self, campaign_id: int) -> float:
        """Begins the campaign's next pause; returns its seconds."""
        seconds = min(2 * self._pauses.get(campaign_id, FIRST_SECONDS / 2), LONGEST_SECONDS)
        self._pauses[campaign_id] = seconds
        self._until[campaign_id] = self._clock() + seconds
        return seconds

    def release(self, campaign_id: int) -> None:
        """Its tick went well."""
        self._pauses.pop(campaign_id, None)
        self._until.pop(campaign_id, None)

    def keep_only(self, live: Collection[int]) -> None:
        """Forgets campaigns that are over."""
        for campaign_id in self._pauses.keys() - set(live):
            self.release(campaign_id)
