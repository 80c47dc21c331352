"""Devices that are away, fail, fall silent or have two masters."""

from datetime import datetime

from fleetsim.fleet import Fleet
from fleetsim.nature import Failure
from tests.e2e import guarantees
from tests.e2e.arrange import NEW, OLD, Site, broken, quick
from tests.e2e.campaign import Json
from tests.e2e.histories import commands, reports


async def test_a_device_that_was_away_is_updated_as_soon_as_it_is_back(site: Site) -> None:
    async with site.fleet(6), site.fleet(6) as absent:
        for agent in absent:
            agent.go_offline()
        campaign = await site.started(rate=1200)
        await campaign.until_done(6)
        before = await campaign.until_devices(lambda rows: all(waits_long(row) for row in of(absent, rows)))
        for agent in absent:
            agent.come_back()
        end = await campaign.until_ended()
        after = await campaign.devices()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 12)
    for agent in absent:
        name = agent.account.device_id
        assert after[name]["failures"] == 0
        assert at(after[name]["queued_at"]) < at(before[name]["next_attempt_at"]), "it waited for its backoff"
    await guarantees.hold(site)


def of(fleet: Fleet, rows: dict[str, Json]) -> list[Json]:
    return [rows[agent.account.device_id] for agent in fleet]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def waits_long(row: Json) -> bool:
    """Offline, for so long that the backoff has grown to some seconds."""
    if row["wait"] != "offline" or row["queued_at"] is None:
        return False
    return (at(row["next_attempt_at"]) - at(row["queued_at"])).total_seconds() > 6


async def test_devices_that_come_and_go_are_all_updated(site: Site) -> None:
    async with site.fleet(30, quick(offline=0.3, offline_seconds=(1, 3))) as fleet:
        campaign = await site.started(rate=600)
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 30)
    assert {agent.memory.version for agent in fleet} == {NEW}
    await guarantees.hold(site)


async def test_a_device_that_leaves_during_its_update_tells_the_outcome_when_it_is_back(site: Site) -> None:
    async with site.fleet(4) as fleet:
        campaign = await site.started(rate=1200)
        await campaign.until(lambda c: c["status_breakdown"]["DOWNLOADING"] + c["succeeded"] == 4)
        for agent in fleet:
            agent.go_offline()
        await campaign.until(lambda _: all(agent.memory.version == NEW for agent in fleet))
        for agent in fleet:
            agent.come_back()
        end = await campaign.until_ended()
    assert (end["status"], end["succeeded"]) == ("COMPLETED", 4)
    assert len(commands(fleet)) == 4
    await guarantees.hold(site)


async def test_a_failed_attempt_is_tried_again_and_a_device_that_always_fails_is_given_up(site: Site) -> None:
    async with (
        site.fleet(5),
        site.fleet(5, quick(flaky=1.0, failures=(Failure.INSTALL,))) as flaky,
        site.fleet(2, broken(Failure.DOWNLOAD)) as unreachable,
        site.fleet(2, broken(Failure.CHECKSUM)) as damaged,
        site.fleet(2, broken(Failure.INSTALL)) as bad,
    ):
        campaign = await site.started(rate=1200, max_attempts=3)
        end = await campaign.until_ended()
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"], end["failed"]) == ("COMPLETED", 10, 6)
    assert {(row["status"], row["attempt"], row["failures"]) for row in of(flaky, rows)} == {("SUCCESS", 2, 1)}
    for fleet, code in ((unreachable, "download_failed"), (damaged, "bad_checksum"), (bad, "install_failed")):
        outcomes = {(row["status"], row["attempt"], row["failures"], row["error_code"]) for row in of(fleet, rows)}
        assert outcomes == {("FAILED", 3, 3, code)}
        assert all(pauses_grow(fleet, agent.account.device_id) for agent in fleet)
    await guarantees.hold(site)


def pauses_grow(fleet: Fleet, device_id: str) -> bool:
    """Backoffs of 1 and 4 seconds, give or take a fifth, lie between a failure and the next command."""
    agent = next(agent for agent in fleet if agent.account.device_id == device_id)
    came = [event.at for event in commands([agent])]
    failed = [went.at for went in reports(agent) if went.report.status == "FAILED"]
    pauses = [later - earlier for earlier, later in zip(failed, came[1:], strict=False)]
    return len(pauses) == 2 and pauses[0] >= 0.8 and pauses[1] >= 3.2


async def test_silence_counts_as_a_failure_once_the_attempts_time_is_over(site: Site) -> None:
    async with (
        site.fleet(3),
        site.fleet(2, manual=True) as mute,
        site.fleet(2, broken(Failure.SILENCE)) as falls_silent,
    ):
        campaign = await site.started(rate=1200, max_attempts=1, attempt_timeout_seconds=10)
        end = await campaign.until_ended()
        rows = await campaign.devices()
    assert (end["status"], end["succeeded"], end["failed"]) == ("COMPLETED", 3, 4)
    assert {(row["status"], row["error_code"]) for row in of(mute, rows)} == {("FAILED", "no_response")}
    assert {(row["status"], row["error_code"]) for row in of(falls_silent, rows)} == {("FAILED", "timeout")}
    for row in of(mute, rows) + of(falls_silent, rows):
        assert (at(row["completed_at"]) - at(row["dispatched_at"])).total_seconds() >= 10
    await guarantees.hold(site)


async def test_two_campaigns_over_the_same_devices_take_turns_and_the_newer_one_wins(site: Site) -> None:
    newest = "3.0.0"
    async with site.fleet(30, quick(download_seconds=(0.5, 1))) as fleet:
        older = await site.started(rate=60)
        await older.until(lambda c: c["dispatched_devices"] >= 2)
        newer = await site.started(rate=1200, version=newest)
        new_end, old_end = await newer.until_ended(), await older.until_ended()
        old_rows = await older.devices()
    assert (new_end["status"], new_end["succeeded"]) == ("COMPLETED", 30)
    assert {agent.memory.version for agent in fleet} == {newest}
    assert old_end["status"] == "COMPLETED"
    assert {(row["status"], row["skip_reason"]) for row in old_rows.values()} == {
        ("SUCCESS", None),
        ("SKIPPED", "superseded"),
    }
    assert 2 <= old_end["succeeded"] < 15
    await guarantees.hold(site)


async def test_a_device_of_another_tenant_with_the_same_name_hears_nothing(site: Site) -> None:
    async with site.fleet(2) as fleet:
        name = next(iter(fleet)).account.device_id
        assert await next(iter(fleet)).say(b'{"version":"9"}', f"tenant/somebody-else/device/{name}/ota/status") >= 128
        campaign = await site.started(rate=1200)
        await campaign.until_ended()
        answer = await site.http.get(
            f"/customer/ota/campaigns/{campaign.id}",
            headers={"Authorization": f"Bearer {site.stack.token('somebody-else', 'admin')}"},
        )
    assert answer.status_code == 404
    assert {agent.memory.version for agent in fleet} == {NEW} != {OLD}
    await guarantees.hold(site)
