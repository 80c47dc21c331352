"""Campaigns from their start to their end, with operators who change their minds."""

import asyncio
import time

import pytest

from fleetsim.nature import Failure
from tests.e2e import guarantees
from tests.e2e.arrange import GROUP, NEW, OLD, Site, broken, quick
from tests.e2e.campaign import Campaign
from tests.e2e.histories import Came, commands

SEEN_LATE = 0.3
"""A command may reach its device so long after it was sent."""


def between(came: list[Came], since: float, until: float) -> list[Came]:
    return [event for event in came if since <= event.at < until]


async def test_a_campaign_completes_although_a_few_devices_fail(site: Site) -> None:
    kinds = (Failure.DOWNLOAD, Failure.CHECKSUM, Failure.INSTALL)
    async with site.fleet(36) as good, site.fleet(4, broken(*kinds)) as bad:
        campaign = await site.started(rate=1200, max_attempts=1)
        end = await campaign.until_ended()
    assert (end["status"], end["total_devices"], end["succeeded"], end["failed"]) == ("COMPLETED", 40, 36, 4)
    assert {agent.memory.version for agent in good} == {NEW}
    assert {agent.memory.version for agent in bad} == {OLD}
    assert await campaign.timeline() == ["created", "started", "completed"]
    await guarantees.hold(site)


async def test_what_devices_run_now_is_known_after_a_campaign(site: Site) -> None:
    async with site.fleet(3), site.fleet(1, broken()):
        campaign = await site.started(rate=1200, max_attempts=1)
        await campaign.until_ended()
    answer = await site.http.get("/customer/devices", params={"group_id": GROUP})
    assert sorted(device["current_version"] for device in answer.json()["devices"]) == [OLD, NEW, NEW, NEW]
    assert all(device["last_seen_at"] for device in answer.json()["devices"])
    await guarantees.hold(site)


async def test_devices_that_need_no_update_are_skipped_and_never_commanded(site: Site) -> None:
    async with site.fleet(5) as fleet:
        first = await site.started(rate=1200)
        await first.until_ended()
        again = await site.campaign(await again_as_firmware(site), rate=1200)
        await again.start()
        end = await again.until_ended()
    assert end["status_breakdown"]["SKIPPED"] == 5
    assert {row["skip_reason"] for row in (await again.devices()).values()} == {"already_on_version"}
    assert len(commands(fleet)) == 5
    await guarantees.hold(site)


async def again_as_firmware(site: Site) -> int:
    """The firmware that all devices run already."""
    listed = (await site.http.get("/customer/firmware", params={"search": NEW})).json()["firmware_versions"]
    return int(listed[0]["id"])


async def test_a_firmware_that_breaks_three_in_ten_devices_stops_by_itself(site: Site) -> None:
    async with site.fleet(42), site.fleet(18, broken(Failure.INSTALL)) as bad:
        campaign = await site.started(rate=360, max_attempts=1, abort_threshold=0.1, abort_min_devices=10)
        end = await campaign.until_ended()
    assert end["status"] == "ABORTED"
    assert end["status_reason"]["code"] == "abort_ratio"
    assert end["failed"] / (end["succeeded"] + end["failed"]) > 0.1
    skipped = [row for row in (await campaign.devices()).values() if row["status"] == "SKIPPED"]
    assert len(skipped) >= 15, "most devices should have been spared"
    assert {row["skip_reason"] for row in skipped} == {"aborted"}
    assert await campaign.timeline() == ["created", "started", "aborted"]
    assert any(not commands([agent]) for agent in bad)
    await guarantees.hold(site)


async def test_a_paused_campaign_sends_nothing_and_goes_on_where_it_was(site: Site) -> None:
    async with site.fleet(40) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(8)
        paused = await campaign.pause()
        await quiet(campaign, seconds=3)
        assert 8 <= len(commands(fleet)) < 40
        assert not between(commands(fleet), paused.answered + guarantees.AFTER_PAUSE_SECONDS, time.time())
        await campaign.start()
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 40)
    assert await campaign.timeline() == ["created", "started", "paused", "resumed", "completed"]
    await guarantees.hold(site)


async def quiet(campaign: Campaign, seconds: float) -> None:
    """Time passes, and is looked at."""
    until = time.monotonic() + seconds
    await campaign.until(lambda _: time.monotonic() >= until, seconds + 5)


async def test_devices_at_work_end_their_update_while_the_campaign_is_paused(site: Site) -> None:
    async with site.fleet(10, quick(download_seconds=(2, 3))) as fleet:
        campaign = await site.started(rate=6000)
        await campaign.until(lambda c: c["status_breakdown"]["DOWNLOADING"] == 10)
        await campaign.pause()
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 10)
    assert {agent.memory.version for agent in fleet} == {NEW}
    await guarantees.hold(site)


@pytest.mark.parametrize("first_paused", [False, True], ids=["while it runs", "while it is paused"])
async def test_an_abort_in_the_middle_spares_who_waits(site: Site, *, first_paused: bool) -> None:
    async with site.fleet(80) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(8)
        if first_paused:
            await campaign.pause()
        aborted = await campaign.abort()
        end = await campaign.until_ended()
        await asyncio.sleep(1)
        assert not between(commands(fleet), aborted.answered + guarantees.AFTER_PAUSE_SECONDS, time.time())
    assert (end["status"], end["status_reason"]["code"]) == ("ABORTED", "operator")
    assert end["succeeded"] == len({event.device_id for event in commands(fleet)})
    assert end["status_breakdown"]["SKIPPED"] == 80 - end["succeeded"] > 10
    await guarantees.hold(site)


async def test_a_change_of_rate_counts_at_once_slower_and_faster(site: Site) -> None:
    async with site.fleet(90) as fleet:
        campaign = await site.started(rate=600)
        started = campaign.asked[-1].answered
        await quiet(campaign, seconds=3)
        slower = await campaign.change_rate(120)
        await quiet(campaign, seconds=4)
        faster = await campaign.change_rate(1800)
        await campaign.until_ended()
        came = commands(fleet)
    at_ten = between(came, started, slower.answered)
    at_two = between(came, slower.answered + SEEN_LATE, faster.answered)
    at_thirty = between(came, faster.answered, time.time())
    assert 15 <= len(at_ten) <= 10 * (slower.answered - started + SEEN_LATE) + 2
    assert 4 <= len(at_two) <= 2 * (faster.answered - slower.answered) + 1
    assert len(at_thirty) == 90 - len(between(came, started, faster.answered))
    assert len(at_thirty) / (at_thirty[-1].at - at_thirty[0].at) > 15, "half of the rate at least"
    assert not guarantees.faster_than_promised(at_ten, 10, SEEN_LATE)
    assert not guarantees.faster_than_promised(at_two, 2, SEEN_LATE)
    assert not guarantees.faster_than_promised(at_thirty, 30, SEEN_LATE)
    await guarantees.hold(site)
