"""Every process is replaced by its next version and then by the present one again, while a campaign goes on.

The next version writes one more field into every message, and has added columns to tables. So what is shown is that
both versions work side by side on each other's messages and rows, in both directions; not that any change would do.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from pulse.contracts.kafka import CONTROL, DEVICE_STATUS, REQUESTS, RESULTS, Message, Topic
from pulse_setup.migrations import migrate
from tests.e2e import guarantees, next_version
from tests.e2e.arrange import NEW, Site
from tests.e2e.campaign import Campaign
from tests.e2e.stack import Stack
from tests.e2e.topics import content

DEVICES = 100
SERVICES = ("catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc")
SLOW, FAST = 120, 3_000
"""Devices a minute: while processes are replaced, and to end with."""


class Signed(Message, frozen=True, kw_only=True):
    """What is looked at of any message: whose it is, and whether the next version has written it."""

    campaign_id: int
    said_by: str | None = None


@pytest.fixture
async def migrated(site: Site, tmp_path: Path) -> AsyncIterator[None]:
    """The next version's migrations are applied, as always before its programs; its columns go in the end."""
    connection = await asyncpg.connect(site.stack["POSTGRES_DSN"])
    try:
        await migrate(connection, next_version.migrations(tmp_path / "migrations"), print)
        yield
        await connection.execute(next_version.UNDO)
    finally:
        await connection.close()


async def roll_out(stack: Stack) -> None:
    """All services at once, one process of each at a time: it ends cleanly and starts anew, beside one that stays."""
    for number in range(2):
        async with asyncio.TaskGroup() as group:
            for process in [name for service in SERVICES for name in stack.processes(service)[number : number + 1]]:
                group.create_task(stack.restart(process), name=process)


async def versions(campaign: Campaign, stack: Stack, topic: Topic) -> set[str | None]:
    """Who has written to a topic about a campaign."""
    return {m.said_by for m in await content(stack["KAFKA_BOOTSTRAP"], topic, Signed) if m.campaign_id == campaign.id}


@pytest.mark.usefixtures("migrated")
async def test_an_upgrade_and_its_undoing_in_mid_campaign_lose_nothing(site: Site) -> None:
    stack = site.stack
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=SLOW)
        await campaign.until_done(3)
        next_version.installed(stack.next_version)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(campaign.until(lambda c: bool(c["epoch"] > 1), 100), name="watched meanwhile")
                await roll_out(stack)
                await campaign.change_rate(SLOW + 1)
        finally:
            next_version.removed(stack.next_version)
        upgraded = await campaign.get()
        await roll_out(stack)
        await campaign.change_rate(FAST)
        end = await campaign.until_ended(60)
        rows = await campaign.devices()
    assert upgraded["status"] == "RUNNING", "the campaign has to go on beyond the upgrade"
    assert (end["status"], end["succeeded"]) == ("COMPLETED", DEVICES)
    assert {agent.memory.version for agent in fleet} == {NEW}
    assert not [row for row in rows.values() if row["failures"]], "a device was blamed for it"
    for topic in (CONTROL, REQUESTS, RESULTS, DEVICE_STATUS):
        assert await versions(campaign, stack, topic) == {None, "the next version"}, topic.name
    await guarantees.hold(site)
