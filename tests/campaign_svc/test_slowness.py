"""A campaign that could send and does not keep up is marked as slow, and no other."""

from datetime import UTC, datetime, timedelta

import pytest

from campaign_svc.insight import slowness
from pulse.runtime.db import Pool
from tests.campaign_svc.rows import TENANT, Fleet


async def running(fleet: Fleet, devices: int = 100, minutes: float = 5, **given: object) -> int:
    return await fleet.campaign(
        devices,
        promised_at=datetime.now(UTC) - timedelta(minutes=minutes),
        promised_rate=10.0,
        **given,  # type: ignore[arg-type]  # fields of a campaign, never its gates or prefix
    )


async def sent(fleet: Fleet, campaign: int, in_each_slot: int) -> None:
    await fleet.pool.execute(
        """INSERT INTO ota_campaign_pace
           SELECT $1, n, $2, date_bin('5 seconds', now(), 'epoch') - n * interval '5 s', $3
             FROM generate_series(0, 15) n
           ON CONFLICT (campaign_id, slot) DO UPDATE SET dispatched = excluded.dispatched""",
        campaign,
        TENANT,
        in_each_slot,
    )


async def is_slow(fleet: Fleet, loops: Pool, campaign: int) -> bool:
    await slowness.note(loops)
    return (await fleet.get(campaign))["slow_since"] is not None


async def test_a_campaign_that_falls_behind_is_slow_until_it_keeps_up(fleet: Fleet, loops: Pool) -> None:
    campaign = await running(fleet)
    await sent(fleet, campaign, 20)
    assert await is_slow(fleet, loops, campaign)
    since = (await fleet.get(campaign))["slow_since"]
    assert await is_slow(fleet, loops, campaign)
    assert (await fleet.get(campaign))["slow_since"] == since
    await sent(fleet, campaign, 50)
    assert not await is_slow(fleet, loops, campaign)


async def test_a_minute_after_its_start_it_is_not_judged_yet(fleet: Fleet, loops: Pool) -> None:
    assert not await is_slow(fleet, loops, await running(fleet, minutes=0.5))


async def test_a_campaign_with_nothing_due_is_not_slow(fleet: Fleet, loops: Pool) -> None:
    campaign = await running(fleet)
    await fleet.move(campaign, "PENDING", next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
    assert not await is_slow(fleet, loops, campaign)


async def test_a_campaign_that_its_own_limit_holds_is_not_slow(fleet: Fleet, loops: Pool) -> None:
    campaign = await running(fleet, max_in_flight=2)
    await fleet.move(campaign, "INSTALLING", "d0", "d1", attempt=1)
    assert not await is_slow(fleet, loops, campaign)


@pytest.mark.parametrize("status", ["CREATED", "PAUSED", "ABORTED", "COMPLETED"])
async def test_only_a_running_campaign_is_slow(fleet: Fleet, loops: Pool, status: str) -> None:
    assert not await is_slow(fleet, loops, await running(fleet, status=status))


async def test_a_control_change_begins_anew(fleet: Fleet, loops: Pool) -> None:
    campaign = await running(fleet)
    assert await is_slow(fleet, loops, campaign)
    await fleet.set(campaign, epoch=2)
    assert (await fleet.get(campaign))["slow_since"] is None
