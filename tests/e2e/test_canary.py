"""Campaigns in stages: gates that open, wait, fail and are opened by hand; and the other ways in which devices end."""

from datetime import UTC, datetime, timedelta

from fleetsim.agent import Agent
from fleetsim.nature import Failure
from tests.e2e import guarantees
from tests.e2e.arrange import NEW, OLD, Site, broken, quick
from tests.e2e.campaign import Campaign, Json
from tests.e2e.histories import commands

RATE = 1200
SOAK_SECONDS = 1


def stage(name: str, **settings: object) -> Json:
    """A stage that soaks for a second and wants every device to succeed."""
    return {"name": name, "soak_seconds": SOAK_SECONDS, "min_success": 1.0, **settings}


async def canary(site: Site, *stages: Json, **settings: object) -> Campaign:
    """A campaign with these stages, CREATED: who is in which is known before anything is sent."""
    firmware = await site.firmware()
    return await site.campaign(firmware, rate=RATE, rollout_strategy="canary", stages=list(stages), **settings)


def statuses(campaign: Json) -> list[str]:
    return [stage["status"] for stage in campaign["stages"]]


async def agents_of(site: Site, campaign: Campaign, number: int) -> list[Agent]:
    """The devices of one stage."""
    rows = await campaign.devices()
    return [agent for agent in site.agents if rows[agent.account.device_id]["stage"] == number]


def moments(rows: dict[str, Json], stage: int, field: str) -> list[datetime]:
    return [datetime.fromisoformat(row[field]) for row in rows.values() if row["stage"] == stage]


async def test_three_stages_pass_one_after_the_other_each_after_its_soak_time(site: Site) -> None:
    async with site.fleet(30) as fleet:
        campaign = await canary(site, stage("one in ten", share=0.1), stage("half", count=12))
        await campaign.start()
        end = await campaign.until_ended()
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 30)
    assert [stage["total"] for stage in end["stages"]] == [3, 12, 15]
    assert statuses(end)[:2] == ["PASSED", "PASSED"]
    assert {agent.memory.version for agent in fleet} == {NEW}
    for earlier, later in ((0, 1), (1, 2)):
        done, released = max(moments(rows, earlier, "completed_at")), min(moments(rows, later, "queued_at"))
        assert released - done >= timedelta(seconds=SOAK_SECONDS), f"stage {later} began before the soak was over"
    gates = ["gate_passed", "stage_started"]
    assert await campaign.timeline() == ["created", "started", *gates, *gates, "completed"]
    await guarantees.hold(site)


async def test_a_gate_waits_for_one_who_may_approve_it(site: Site) -> None:
    async with site.fleet(20) as fleet:
        campaign = await canary(site, stage("canary", count=5, approval=True))
        await campaign.start()
        waiting = await campaign.until(lambda c: statuses(c)[0] == "AWAITING_APPROVAL")
        assert (waiting["status"], waiting["succeeded"]) == ("RUNNING", 5)
        assert await campaign.approve(0, site.bearing("operator")) == 403
        assert await campaign.approve(0, site.bearing("viewer")) == 403
        assert statuses(await campaign.get())[0] == "AWAITING_APPROVAL"
        assert len(commands(fleet)) == 5
        assert await campaign.approve(0, site.bearing("approver")) == 200
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 20)
    assert await campaign.timeline() == [
        *("created", "started", "approved", "gate_passed", "stage_started", "completed"),
    ]
    await guarantees.hold(site)


async def test_a_failed_gate_pauses_until_an_approver_passes_it_and_an_operator_starts_again(site: Site) -> None:
    async with site.fleet(12), site.fleet(12, broken(Failure.INSTALL)):
        campaign = await canary(site, stage("canary", count=12), max_attempts=1)
        canaries = await agents_of(site, campaign, 0)
        await campaign.start()
        await campaign.until(lambda c: c["status"] == "PAUSED")
        paused = await campaign.until(lambda c: c["succeeded"] + c["failed"] == sent(canaries))
        assert (paused["status_reason"]["code"], statuses(paused)[0]) == ("gate_failed", "FAILED")
        assert {event.device_id for event in commands(site.agents)} <= {a.account.device_id for a in canaries}
        assert await campaign.approve(0, site.bearing("operator")) == 403
        assert await campaign.approve(0, site.bearing("approver")) == 200
        assert (await campaign.get())["status"] == "PAUSED", "only an operator's start goes on"
        await campaign.start()
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"], end["failed"]) == ("COMPLETED", 12, 12)
    assert await campaign.timeline() == [
        *("created", "started", "gate_failed", "approved", "resumed", "gate_passed", "stage_started", "completed"),
    ]
    await guarantees.hold(site)


def sent(agents: list[Agent]) -> int:
    """How many devices have been commanded."""
    return len({event.device_id for event in commands(agents)})


async def test_canaries_that_are_away_do_not_hold_the_gate_and_are_updated_when_they_are_back(site: Site) -> None:
    async with site.fleet(25) as fleet:
        campaign = await canary(site, stage("canary", count=10, min_success=0.8))
        absent = (await agents_of(site, campaign, 0))[:2]
        for agent in absent:
            agent.go_offline()
        await campaign.start()
        without = await campaign.until_done(23)
        assert (without["status"], statuses(without)[0]) == ("RUNNING", "PASSED")
        for agent in absent:
            agent.come_back()
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 25)
    assert {agent.memory.version for agent in fleet} == {NEW}
    await guarantees.hold(site)


async def test_a_group_that_fits_into_the_first_stage_completes(site: Site) -> None:
    async with site.fleet(20) as fleet:
        campaign = await canary(site, stage("canary", count=500), stage("more", count=500))
        await campaign.start()
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 20)
    assert [stage["total"] for stage in end["stages"]] == [20, 0, 0]
    assert {agent.memory.version for agent in fleet} == {NEW}
    await guarantees.hold(site)


async def test_a_retry_reopens_a_completed_campaign_and_completes_it_again(site: Site) -> None:
    async with site.fleet(15), site.fleet(5, quick(flaky=1.0, failures=(Failure.INSTALL,))) as flaky:
        campaign = await site.started(rate=RATE, max_attempts=1)
        first = await campaign.until_ended()
        assert (first["status"], first["succeeded"], first["failed"]) == ("COMPLETED", 15, 5)
        assert await campaign.retry_failed() == 5
        end = await campaign.until_ended()
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"], end["failed"]) == ("COMPLETED", 20, 0)
    assert {agent.memory.version for agent in flaky} == {NEW}
    assert {rows[agent.account.device_id]["attempt"] for agent in flaky} == {2}
    assert await campaign.timeline() == ["created", "started", "completed", "reopened", "completed"]
    await guarantees.hold(site)


async def test_withdrawn_firmware_pauses_its_campaign_for_good(site: Site) -> None:
    async with site.fleet(30) as fleet:
        campaign = await site.started(rate=300)
        await campaign.until_done(5)
        firmware = (await campaign.get())["firmware_version_id"]
        withdrawn = await site.post(f"/customer/firmware/{firmware}/withdraw", {"reason": "it eats batteries"})
        assert withdrawn["campaigns_paused"] == [campaign.id]
        paused = await campaign.until(lambda c: c["status"] == "PAUSED" and c["status_breakdown"]["QUEUED"] == 0)
        assert paused["status_reason"]["code"] == "firmware_withdrawn"
        assert await campaign.refused("start") == "firmware_withdrawn"
        await campaign.abort()
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("ABORTED", sent(list(fleet)))
    assert end["status_breakdown"]["SKIPPED"] == 30 - end["succeeded"] > 5
    await guarantees.hold(site)


async def test_what_still_waits_at_the_campaigns_end_is_skipped(site: Site) -> None:
    async with site.fleet(16), site.fleet(4) as absent:
        for agent in absent:
            agent.go_offline()
        end_at = (datetime.now(UTC) + timedelta(seconds=8)).isoformat()
        campaign = await site.started(rate=RATE, end_at=end_at)
        await campaign.until_done(16)
        end = await campaign.until_ended()
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"], end["status_breakdown"]["SKIPPED"]) == ("COMPLETED", 16, 4)
    ends = {(r["status"], r["skip_reason"]) for r in (rows[agent.account.device_id] for agent in absent)}
    assert ends == {("SKIPPED", "deadline")}
    assert {agent.memory.version for agent in absent} == {OLD}
    await guarantees.hold(site)
