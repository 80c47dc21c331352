"""The database is restored from a backup that was taken in the middle of a campaign."""

import signal
from pathlib import Path

from tests.e2e import guarantees
from tests.e2e.arrange import NEW, Site
from tests.e2e.backup import backed_up, restored
from tests.e2e.watch import Watch

DEVICES = 70
SERVICES = ("catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc")


async def test_a_campaign_whose_last_changes_are_lost_stops_and_is_finished_when_somebody_resumes_it(
    site: Site, tmp_path: Path
) -> None:
    processes = [process for service in SERVICES for process in site.stack.processes(service)]
    async with site.fleet(DEVICES) as fleet:
        campaign = await site.started(rate=600)
        await campaign.until_done(10)
        await backed_up(site.stack["POSTGRES_DSN"], tmp_path / "backup")
        await campaign.change_rate(900)
        await campaign.until_done(30)

        site.stack.signal(signal.SIGSTOP, *processes)
        await restored(site.stack["POSTGRES_DSN"], tmp_path / "backup")
        site.watch = campaign.watch = Watch(site.database, site.tenant)
        await site.stack.kill(*processes)
        await site.stack.until_back(*processes)

        stopped = await campaign.until(lambda c: bool(c["status"] == "PAUSED"), 30)
        assert stopped["status_reason"]["code"] == "restored"
        assert stopped["rollout_rate"] == 600
        assert 10 <= stopped["succeeded"] < 30, "what was reported after the backup is lost"
        lost = await site.campaign(stopped["firmware_version_id"], rate=600)
        assert lost.id > campaign.id + 100_000, "the number of a lost campaign is not used again"

        await campaign.start()
        end = await campaign.until_ended(60)
        rows = await campaign.devices()
    told_again = end["status_breakdown"]["SKIPPED"]
    assert (end["status"], end["succeeded"] + told_again) == ("COMPLETED", DEVICES)
    assert {row["skip_reason"] for row in rows.values()} <= {None, "already_on_version"}, "its row forgot it"
    assert {agent.memory.version for agent in fleet} == {NEW}
    assert not [row for row in rows.values() if row["failures"]], "a device was blamed for it"
    assert await campaign.timeline() == ["created", "started", "restored", "resumed", "completed"]
    await guarantees.hold(site)
