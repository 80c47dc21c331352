"""SQL of the leases: each gives its holder an ordinal, and with it an MQTT client id and session.

Times are the database's: the holders' clocks are not compared.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pulse.runtime.db import Pool


class LeaseLost(Exception):
    """The lease ran out, and may be another's by now: nothing that came in under it may be acknowledged."""


@dataclass(frozen=True, slots=True)
class Lease:
    """An ordinal held for `seconds` after each renewal."""

    pool: Pool
    ordinal: int
    holder: str
    seconds: float

    async def renew(self) -> None:
        """Raises LeaseLost."""
        renewed = await self.pool.fetchval(
            """
            UPDATE ingest_members SET expires_at = clock_timestamp() + $3 * interval '1 second'
             WHERE ordinal = $1 AND holder = $2 AND expires_at > clock_timestamp() RETURNING true
            """,
            self.ordinal,
            self.holder,
            self.seconds,
        )
        if not renewed:
            raise LeaseLost(f"the lease of ordinal {self.ordinal} has run out")

    async def caught_up(self, at: datetime) -> None:
        """Says that all that was dealt to this ordinal before `at` is committed; true for whoever holds it later."""
        await self.pool.execute(
            "UPDATE ingest_members SET caught_up_at = $3 WHERE ordinal = $1 AND holder = $2 AND caught_up_at < $3",
            self.ordinal,
            self.holder,
            at,
        )

    async def release(self) -> None:
        """Lets go of the ordinal at once; its session goes on collecting, for whoever claims it next."""
        await self.pool.execute(
            "UPDATE ingest_members SET expires_at = clock_timestamp() WHERE ordinal = $1 AND holder = $2",
            self.ordinal,
            self.holder,
        )

    async def delete(self) -> None:
        """Ends the membership; only for an ordinal whose session has ended with nothing left in it."""
        await self.pool.execute(
            "DELETE FROM ingest_members WHERE ordinal = $1 AND holder = $2", self.ordinal, self.holder
        )


async def claim(pool: Pool, holder: str, seconds: float) -> Lease:
    """The lowest ordinal that nobody holds.

    A new ordinal begins with the year 1970, which holds every sweep back until this replica's first marker has passed:
    the present time would be a claim about dispatch results that nobody may have read.
    An expired one keeps what its last holder said: its session may be full of reports.
    """
    while True:
        ordinal = await pool.fetchval(
            """
            INSERT INTO ingest_members AS m (ordinal, holder, expires_at, caught_up_at)
            SELECT o, $1, clock_timestamp() + $2 * interval '1 second', 'epoch'
              FROM generate_series(0, (SELECT count(*)::integer FROM ingest_members)) o
             WHERE NOT EXISTS (SELECT FROM ingest_members t WHERE t.ordinal = o AND t.expires_at > clock_timestamp())
             ORDER BY o LIMIT 1
            ON CONFLICT (ordinal) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
             WHERE m.expires_at <= clock_timestamp()
            RETURNING ordinal
            """,
            holder,
            seconds,
        )
        if ordinal is not None:  # else another took it in the same moment
            return Lease(pool, ordinal, holder, seconds)


async def claim_abandoned(pool: Pool, holder: str, seconds: float, grace: float) -> Lease | None:
    """An ordinal that ran out more than `grace` seconds ago, or None."""
    ordinal = await pool.fetchval(
        """
        UPDATE ingest_members SET holder = $1, expires_at = clock_timestamp() + $2 * interval '1 second'
         WHERE ordinal = (SELECT ordinal FROM ingest_members
                           WHERE expires_at < clock_timestamp() - $3 * interval '1 second'
                           ORDER BY ordinal LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING ordinal
        """,
        holder,
        seconds,
        grace,
    )
    return None if ordinal is None else Lease(pool, ordinal, holder, seconds)


async def has_others(pool: Pool, holder: str) -> bool:
    """Whether another holder is alive."""
    return bool(
        await pool.fetchval(
            "SELECT EXISTS (SELECT FROM ingest_members WHERE holder <> $1 AND expires_at > clock_timestamp())", holder
        )
    )


class Moment(NamedTuple):
    """The database's time, and whether any device was at work by then: only of those does a sweep want to know."""

    at: datetime
    active: bool


async def moment(pool: Pool) -> Moment:
    [row] = await pool.fetch(
        """SELECT clock_timestamp() AS at,
                  EXISTS (SELECT FROM ota_device_status WHERE phase IN ('QUEUED', 'AT_WORK')) AS active"""
    )
    return Moment(row["at"], row["active"])
