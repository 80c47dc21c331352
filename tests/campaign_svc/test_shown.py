"""Live campaigns as series: what an operator reads of them, and that nothing stays when they have ended."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from campaign_svc.engine.live import LiveCampaign, StageStatus
from campaign_svc.engine.policy import AbortPolicy, AbortRule, Limits, Outcomes
from campaign_svc.engine.shown import MOST, LiveCampaigns, evidence, has_work
from pulse.contracts.status import CampaignStatus, Wait
from tests.campaign_svc.test_judge import NOW, campaign, stage

SEQUENTIAL = AbortPolicy(AbortRule.SEQUENTIAL, 0.1, 1, 0.95)


def shown(*campaigns: LiveCampaign) -> CollectorRegistry:
    """What a scrape gets when the ticks have seen these."""
    registry, series = CollectorRegistry(), LiveCampaigns()
    registry.register(series)
    for each in campaigns:
        series.note(each)
    return registry


def test_devices_are_counted_over_all_stages_and_the_rate_is_the_current_stage_s() -> None:
    first, second = stage({"SUCCESS": 3, "FAILED": 1}, rate=1.0), stage({"PENDING": 9, "QUEUED": 2}, rate=50.0)
    registry = shown(campaign(first, second, current_stage=1, slow=True))
    devices = {
        s: registry.get_sample_value("pulse_campaign_devices", {"campaign": "7", "status": s})
        for s in ("SUCCESS", "PENDING")
    }
    assert devices == {"SUCCESS": 3, "PENDING": 9}
    one = {"campaign": "7"}
    assert registry.get_sample_value("pulse_campaign_promised_devices_per_second", one) == 50.0
    assert registry.get_sample_value("pulse_campaign_stage", one) == 1
    assert registry.get_sample_value("pulse_campaign_slow", one) == 1


def test_devices_that_wait_are_shown_by_what_they_wait_for() -> None:
    registry = shown(campaign(stage({"PENDING": 9, "offline": 3}), stage({"PENDING": 2, "offline": 1, "retry": 1})))
    waiting = {
        wait: registry.get_sample_value("pulse_campaign_waiting_devices", {"campaign": "7", "wait": wait})
        for wait in Wait
    }
    assert waiting == {"offline": 4, "refused": 0, "retry": 1}


def test_a_paused_campaign_promises_nothing_and_has_no_work() -> None:
    paused = campaign(stage({"QUEUED": 5}, due=True), status=CampaignStatus.PAUSED)
    assert shown(paused).get_sample_value("pulse_campaign_promised_devices_per_second", {"campaign": "7"}) == 0
    assert not has_work(paused)


@pytest.mark.parametrize("refilled", [{"taking_in": True}, {"retry_before": NOW}])
def test_a_campaign_whose_rows_are_still_being_filled_has_no_work_yet(refilled: dict[str, Any]) -> None:
    assert not has_work(campaign(stage({"PENDING": 9}, due=True), **refilled))


@pytest.mark.parametrize(
    ("counts", "due", "limits", "expected"),
    [
        ({"QUEUED": 1, "PENDING": 9}, False, Limits(None, None, 1), True),
        ({"PENDING": 9}, True, Limits(None, None, 1), True),
        ({"PENDING": 9}, False, Limits(None, None, 1), False),
        ({"PENDING": 9, "INSTALLING": 4}, True, Limits(4, None, 1), False),
        ({"SUCCESS": 9}, False, Limits(None, None, 1), False),
    ],
    ids=["released", "due", "all wait for a retry", "as many in flight as may be", "all finished"],
)
def test_work_is_what_could_go_out_now(counts: dict[str, int], due: bool, limits: Limits, expected: bool) -> None:
    assert has_work(campaign(stage(counts, due=due), limits=limits)) is expected


def test_the_line_of_the_abort_is_absent_where_no_number_of_failures_would_stop_it() -> None:
    one = {"campaign": "7"}
    never = campaign(stage({"dispatched": 5, "failing": 1}), abort=AbortPolicy(AbortRule.RATIO, 1.0, 1, 0.95))
    assert shown(never).get_sample_value("pulse_campaign_abort_at_failures", one) is None
    some = campaign(stage({"dispatched": 50, "failing": 4}), abort=SEQUENTIAL)
    assert shown(some).get_sample_value("pulse_campaign_failures", one) == 4
    assert shown(some).get_sample_value("pulse_campaign_abort_at_failures", one) == 12


@pytest.mark.parametrize(
    ("policy", "seen", "expected"),
    [
        (AbortPolicy(AbortRule.RATIO, 0.1, 1, 0.95), Outcomes(19, 1, 20, 1), 0.5),
        (AbortPolicy(AbortRule.RATIO, 0.1, 100, 0.95), Outcomes(19, 9, 28, 9), 0.0),
        (AbortPolicy(AbortRule.RATIO, 0.0, 1, 0.95), Outcomes(19, 1, 20, 1), 1.0),
        (SEQUENTIAL, Outcomes(50, 0, 50, 0), 0.0),
    ],
    ids=["half of the threshold", "too few have finished", "one failure is enough", "none has failed"],
)
def test_evidence_is_the_share_of_what_stops_the_campaign(policy: AbortPolicy, seen: Outcomes, expected: float) -> None:
    assert evidence(policy, seen) == expected


def test_the_sequential_evidence_reaches_one_where_the_campaign_stops() -> None:
    assert evidence(SEQUENTIAL, Outcomes(0, 0, 50, 11)) < 1 <= evidence(SEQUENTIAL, Outcomes(0, 0, 50, 12))


def test_a_gate_shows_where_it_is_and_what_it_needs() -> None:
    gated = stage({"SUCCESS": 6, "PENDING": 2, "SKIPPED": 5}, gate=True, status=StageStatus.SOAKING, min_success=0.75)
    registry = shown(campaign(gated))
    assert registry.get_sample_value("pulse_campaign_gate_info", {"campaign": "7", "status": "SOAKING"}) == 1
    assert registry.get_sample_value("pulse_campaign_gate_success_ratio", {"campaign": "7"}) == 0.75
    assert registry.get_sample_value("pulse_campaign_gate_needed_ratio", {"campaign": "7"}) == 0.75


def test_a_campaign_that_is_no_longer_live_is_gone_with_all_its_series() -> None:
    registry, series = CollectorRegistry(), LiveCampaigns()
    registry.register(series)
    for number in (7, 8):
        series.note(campaign(stage({"PENDING": 1}), id=number))
    series.keep([8])
    names = {sample.labels["campaign"] for family in registry.collect() for sample in family.samples}
    assert names == {"8"}


def test_of_very_many_campaigns_those_that_run_and_are_newest_are_shown() -> None:
    paused = [campaign(stage({}), id=n, status=CampaignStatus.PAUSED) for n in range(1000, 1010)]
    running = [campaign(stage({}), id=n) for n in range(1, MOST + 10)]
    samples = [s for f in shown(*paused, *running).collect() for s in f.samples if s.name == "pulse_campaign_info"]
    assert {int(sample.labels["campaign"]) for sample in samples} == set(range(10, MOST + 10))
