"""Leases of ordinals, with the database's clock."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pulse.runtime import db
from status_ingest_svc import leases
from status_ingest_svc.leases import LeaseLost
from tests.real_parts import Database
from tests.status_ingest_svc.world import World


@pytest.fixture
async def pool(postgres: Database, seen: World) -> AsyncIterator[db.Pool]:
    await seen.sql.execute("DELETE FROM ingest_members")
    async with db.pool(postgres.dsn_of("status_ingest_svc"), size=10) as opened:
        yield opened


async def _expire(seen: World, ordinal: int, seconds: int = 1) -> None:
    await seen.sql.execute(
        "UPDATE ingest_members SET expires_at = clock_timestamp() - $2 * interval '1 second' WHERE ordinal = $1",
        ordinal,
        seconds,
    )


async def test_each_gets_the_lowest_free_ordinal_also_at_the_same_moment(pool: db.Pool) -> None:
    claimed = await asyncio.gather(*(leases.claim(pool, f"h{n}", 15) for n in range(8)))
    assert sorted(lease.ordinal for lease in claimed) == list(range(8))
    await next(lease for lease in claimed if lease.ordinal == 3).delete()
    assert (await leases.claim(pool, "h9", 15)).ordinal == 3


async def test_a_new_member_has_caught_up_with_nothing(pool: db.Pool, seen: World) -> None:
    await leases.claim(pool, "h", 15)
    [member] = await seen.members()
    assert member["caught_up_at"].year == 1970


async def test_an_expired_ordinal_goes_to_the_next_with_what_its_holder_had_caught_up_with(
    pool: db.Pool, seen: World
) -> None:
    lease = await leases.claim(pool, "dead", 15)
    at = (await leases.moment(pool)).at
    await lease.caught_up(at)
    await _expire(seen, 0)
    assert (await leases.claim(pool, "heir", 15)).ordinal == 0
    [member] = await seen.members()
    assert (member["holder"], member["caught_up_at"]) == ("heir", at)


async def test_a_lease_that_ran_out_is_lost_even_if_nobody_took_it(pool: db.Pool, seen: World) -> None:
    lease = await leases.claim(pool, "h", 15)
    await lease.renew()
    await _expire(seen, 0)
    with pytest.raises(LeaseLost):
        await lease.renew()


async def test_the_old_holder_can_do_nothing_to_the_new_one(pool: db.Pool, seen: World) -> None:
    old = await leases.claim(pool, "old", 15)
    await _expire(seen, 0)
    await leases.claim(pool, "new", 15)
    before = await seen.members()
    with pytest.raises(LeaseLost):
        await old.renew()
    await old.caught_up((await leases.moment(pool)).at)
    await old.release()
    await old.delete()
    assert await seen.members() == before


async def test_caught_up_never_goes_back(pool: db.Pool, seen: World) -> None:
    lease = await leases.claim(pool, "h", 15)
    first, second = (await leases.moment(pool)).at, (await leases.moment(pool)).at
    await lease.caught_up(second)
    await lease.caught_up(first)
    assert (await seen.members())[0]["caught_up_at"] == second


async def test_an_abandoned_ordinal_goes_to_one_survivor(pool: db.Pool, seen: World) -> None:
    await leases.claim(pool, "dead", 15)
    await _expire(seen, 0, seconds=3)
    assert await leases.claim_abandoned(pool, "s", 15, grace=5) is None, "it may still come back"
    found = await asyncio.gather(*(leases.claim_abandoned(pool, f"s{n}", 15, grace=1) for n in range(4)))
    assert [lease.ordinal for lease in found if lease is not None] == [0]


async def test_only_the_living_count_as_others(pool: db.Pool, seen: World) -> None:
    await leases.claim(pool, "me", 15)
    assert not await leases.has_others(pool, "me")
    await leases.claim(pool, "other", 15)
    assert await leases.has_others(pool, "me")
    await _expire(seen, 1)
    assert not await leases.has_others(pool, "me")
