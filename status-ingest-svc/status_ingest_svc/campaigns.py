"""What is known of campaigns: it never changes, so that each is asked for once."""

from collections.abc import Iterable

from pulse.runtime.db import Pool
from status_ingest_svc import store
from status_ingest_svc.patience import insist
from status_ingest_svc.reading import Campaign

MOST = 10_000


class Campaigns:
    """Remembers the last `MOST` campaigns asked for; one that does not exist is asked for again."""

    def __init__(self, database: Pool) -> None:
        self._database = database
        self._known: dict[int, Campaign] = {}

    async def of(self, ids: Iterable[int]) -> dict[int, Campaign]:
        """Those of `ids` that exist. Waits while the database is away."""
        wanted = set(ids)
        unknown = wanted - self._known.keys()
        found = await insist(lambda: store.campaigns(self._database, unknown)) if unknown else {}
        answer = found | {number: self._known[number] for number in wanted - unknown}
        self._known |= found
        for number in list(self._known)[: max(0, len(self._known) - MOST)]:
            del self._known[number]
        return answer
