"""Alerts name the campaigns that were stopped by themselves: whose series are there, and for how long."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from campaign_svc.engine.shown import LiveCampaigns
from campaign_svc.engine.stops import MOST, stops
from pulse.runtime.db import Pool
from tests.campaign_svc.rows import TENANT, Fleet

SERIES = "pulse_campaign_stopped_timestamp_seconds"
NOW = datetime.now(UTC)


async def scraped(loops: Pool) -> dict[tuple[str, ...], float]:
    """Campaign, tenant, name, status and reason of each series, with its value."""
    series, registry = LiveCampaigns(), CollectorRegistry()
    series.note_stops(await stops(loops))
    registry.register(series)
    labels = ("campaign", "tenant", "name", "status", "reason")
    found = [sample for metric in registry.collect() if metric.name == SERIES for sample in metric.samples]
    return {tuple(sample.labels[name] for name in labels): sample.value for sample in found}


async def stopped(fleet: Fleet, status: str, code: str | None, ended: timedelta | None = None) -> str:
    campaign = await fleet.campaign(1, status=status, name="winter")
    completed = None if ended is None else NOW - ended
    await fleet.set(campaign, status_reason_code=code, status_reason_at=NOW, completed_at=completed)
    return str(campaign)


async def test_what_was_stopped_by_itself_has_a_series_that_names_campaign_and_tenant(
    fleet: Fleet, loops: Pool
) -> None:
    aborted = await stopped(fleet, "ABORTED", "abort_ratio")
    paused = await stopped(fleet, "PAUSED", "gate_failed")
    lately = await stopped(fleet, "ABORTED", "abort_sequential", timedelta(minutes=5))
    assert await scraped(loops) == {
        (aborted, TENANT, "winter", "ABORTED", "abort_ratio"): NOW.timestamp(),
        (paused, TENANT, "winter", "PAUSED", "gate_failed"): NOW.timestamp(),
        (lately, TENANT, "winter", "ABORTED", "abort_sequential"): NOW.timestamp(),
    }


async def test_what_a_person_stopped_what_goes_on_and_what_ended_long_ago_has_none(fleet: Fleet, loops: Pool) -> None:
    await stopped(fleet, "PAUSED", "operator")
    await stopped(fleet, "ABORTED", "operator")
    await stopped(fleet, "RUNNING", None)
    await stopped(fleet, "COMPLETED", "nobody_updated", timedelta(minutes=1))
    await stopped(fleet, "ABORTED", "abort_ratio", timedelta(minutes=61))
    assert await scraped(loops) == {}


async def test_the_number_of_series_is_bounded_and_the_latest_stops_have_them(fleet: Fleet, loops: Pool) -> None:
    campaigns = [await stopped(fleet, "PAUSED", "firmware_withdrawn") for _ in range(MOST + 2)]
    for n, campaign in enumerate(campaigns):
        await fleet.set(int(campaign), status_reason_at=NOW + timedelta(seconds=n))
    assert {key[0] for key in await scraped(loops)} == set(campaigns[2:])
