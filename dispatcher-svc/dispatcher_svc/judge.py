"""How a request that is held stands now, by what is known of its campaign and the time of day."""

import time
from collections.abc import Callable

from dispatcher_svc.knowledge import Knowledge, Stand
from dispatcher_svc.queues import Held
from pulse.contracts.kafka import Outcome


class Judge:
    """`wall` is the time of day in seconds since 1970."""

    def __init__(self, knowledge: Knowledge, wall: Callable[[], float] = time.time) -> None:
        self._knowledge = knowledge
        self._wall = wall

    def stand(self, held: Held) -> Stand | Outcome:
        """GO, WAIT for news of the campaign, or the outcome by which it is to be settled."""
        return self._knowledge.stand(held.request, expired=self.is_expired(held))

    def outcome(self, held: Held) -> Outcome | None:
        """The outcome by which it is to be settled, if it is."""
        stand = self.stand(held)
        return stand if isinstance(stand, Outcome) else None

    def is_expired(self, held: Held) -> bool:
        return held.not_after <= self._wall()
