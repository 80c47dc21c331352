"""What the judge asks for: stops, completion, and the gates between stages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_svc.engine.gates import gate, is_stuck, needed_successes
from campaign_svc.engine.judge import Change, Ended, StageMoved, StagePassed, completed, judge
from campaign_svc.engine.live import Firmware, LiveCampaign, Stage, StageStatus
from campaign_svc.engine.policy import AbortPolicy, AbortRule, Limits, Outcomes
from campaign_svc.withdrawal import Withdrawal
from pulse.contracts.status import CampaignStatus

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
G = StageStatus


def stage(counts: dict[str, int], **given_: Any) -> Stage:
    fields: dict[str, Any] = {
        "number": 0,
        "rate": 10.0,
        "gate": False,
        "soak_seconds": 60,
        "min_success": 0.9,
        "approval": False,
        "approved": False,
        "status": G.RUNNING,
        "soak_until": None,
        "due": False,
    }
    return Stage(**(fields | given_), counts=counts)


def campaign(*stages: Stage, **given_: Any) -> LiveCampaign:
    fields: dict[str, Any] = {
        "id": 7,
        "tenant_id": "acme",
        "status": CampaignStatus.RUNNING,
        "epoch": 3,
        "firmware": Firmware("2.1.0", "http://files/x", 1, "ab" * 32),
        "abort": AbortPolicy(AbortRule.RATIO, 0.5, 1, 0.95),
        "limits": Limits(None, None, 1),
        "max_attempts": 3,
        "attempt_timeout_seconds": 60,
        "end_at": None,
        "retry_before": None,
        "current_stage": 0,
        "now": NOW,
        "overdue": False,
        "silent": False,
    }
    return LiveCampaign(**(fields | given_), stages=stages)


def test_a_campaign_with_work_to_do_is_left_alone() -> None:
    assert judge(campaign(stage({"PENDING": 5, "SUCCESS": 5}))) is None


@pytest.mark.parametrize("status", [CampaignStatus.RUNNING, CampaignStatus.PAUSED])
def test_it_is_completed_when_all_rows_are_finished_paused_or_not(status: CampaignStatus) -> None:
    verdict = judge(campaign(stage({"SUCCESS": 5, "FAILED": 1, "SKIPPED": 2}), status=status))
    assert isinstance(verdict, Change)
    assert (verdict.status, verdict.event) == (CampaignStatus.COMPLETED, "completed")


@pytest.mark.parametrize(
    ("failed", "skipped", "detail"),
    [
        (0, {}, None),
        (0, {"already_on_version": 3}, None),
        (2, {}, "no device was updated: 2 failed, 0 skipped"),
        (0, {"superseded": 3}, "no device was updated: 0 failed, 3 skipped (3 superseded)"),
        (
            1,
            {"superseded": 3, "already_on_version": 2},
            "no device was updated: 1 failed, 5 skipped (2 already_on_version, 3 superseded)",
        ),
    ],
)
def test_a_campaign_that_updated_nobody_says_so_unless_all_had_the_version(
    failed: int, skipped: dict[str, int], detail: str | None
) -> None:
    end = completed(Outcomes(0, failed, failed, failed), skipped)
    assert (end.status, end.event, end.detail) == (CampaignStatus.COMPLETED, "completed", detail)
    assert end.reason_code == (None if detail is None else "nobody_updated")
    assert end.evidence == {"succeeded": 0, "failed": failed, "skipped": skipped}


def test_a_campaign_without_devices_is_completed() -> None:
    assert isinstance(judge(campaign(stage({}))), Change)


def test_it_is_not_judged_while_a_retry_is_worked_off() -> None:
    assert judge(campaign(stage({"FAILED": 5}), retry_before=NOW)) is None


def test_too_many_failures_abort_with_the_numbers_as_evidence() -> None:
    verdict = judge(campaign(stage({"SUCCESS": 1, "FAILED": 2, "PENDING": 9})))
    assert isinstance(verdict, Change)
    assert (verdict.status, verdict.reason_code) == (CampaignStatus.ABORTED, "abort_ratio")
    assert verdict.evidence == {"succeeded": 1, "failed": 2, "threshold": 0.5, "abort_at": 2}
    assert verdict.detail == "2 of 3 finished devices failed; the threshold is 50%"


def test_the_sequential_rule_looks_at_what_was_dispatched() -> None:
    rule = AbortPolicy(AbortRule.SEQUENTIAL, 0.1, 1, 0.95)
    verdict = judge(campaign(stage({"PENDING": 9, "DISPATCHED": 1, "dispatched": 4, "failing": 4}), abort=rule))
    assert isinstance(verdict, Change)
    assert verdict.reason_code == "abort_sequential"
    assert (verdict.evidence["dispatched"], verdict.evidence["failing"]) == (4, 4)


@pytest.mark.parametrize(
    "counts", [{"FAILED": 9, "PENDING": 9}, {"FAILED": 9, "INSTALLING": 1}, {"FAILED": 9, "SKIPPED": 1}]
)
@pytest.mark.parametrize("withdrawal", [None, Withdrawal(NOW, "ann@acme", "bricks the radio")])
def test_what_was_at_work_when_a_campaign_was_paused_stops_it_as_it_would_have_stopped_it_running(
    counts: dict[str, int], withdrawal: Withdrawal | None
) -> None:
    firmware = Firmware("2.1.0", "http://files/x", 1, "ab" * 32, withdrawal)
    verdict = judge(campaign(stage(counts), status=CampaignStatus.PAUSED, firmware=firmware))
    assert isinstance(verdict, Change)
    assert (verdict.status, verdict.event, verdict.reason_code) == (CampaignStatus.ABORTED, "aborted", "abort_ratio")
    assert verdict.detail == "9 of 9 finished devices failed; the threshold is 50%"


def test_a_campaign_that_a_failed_gate_paused_stops_when_its_rule_is_broken_too() -> None:
    at_gate = stage({"SUCCESS": 1, "FAILED": 3}, gate=True, status=G.FAILED, approved=True)
    verdict = judge(campaign(at_gate, stage({"PENDING": 9}, number=1), status=CampaignStatus.PAUSED))
    assert isinstance(verdict, Change)
    assert verdict.reason_code == "abort_ratio"


def test_a_paused_campaign_is_judged_only_when_a_retry_is_worked_off() -> None:
    assert judge(campaign(stage({"FAILED": 9}), status=CampaignStatus.PAUSED, retry_before=NOW)) is None


def test_withdrawn_firmware_pauses_before_anything_else() -> None:
    firmware = Firmware("2.1.0", "http://files/x", 1, "ab" * 32, Withdrawal(NOW, "ann@acme", "bricks the radio"))
    verdict = judge(campaign(stage({"FAILED": 9, "PENDING": 9}), firmware=firmware))
    assert isinstance(verdict, Change)
    assert (verdict.status, verdict.reason_code) == (CampaignStatus.PAUSED, "firmware_withdrawn")
    assert verdict.detail == "firmware 2.1.0 was withdrawn by ann@acme: bricks the radio"
    assert (verdict.evidence["withdrawn_by"], verdict.evidence["withdrawn_reason"]) == ("ann@acme", "bricks the radio")


def test_an_aborted_campaign_has_ended_with_its_last_finished_row() -> None:
    aborted = CampaignStatus.ABORTED
    assert judge(campaign(stage({"DISPATCHED": 1, "SKIPPED": 9}), status=aborted)) is None
    assert judge(campaign(stage({"FAILED": 1, "SKIPPED": 9}), status=aborted)) == Ended()


REACHED = {"SUCCESS": 9, "PENDING": 1}


def gated(counts: dict[str, int], **given_: Any) -> Stage:
    return stage(counts, gate=True, **given_)


SOAKED: dict[str, Any] = {"status": G.SOAKING, "soak_until": NOW}


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        (gated({}), G.PASSED),
        (gated({"SKIPPED": 10}, approval=True), G.PASSED),
        (gated({"PENDING": 10}), G.RUNNING),
        (gated({"SUCCESS": 8, "PENDING": 2}), G.RUNNING),
        (gated({"SUCCESS": 8, "FAILED": 1, "PENDING": 1}), G.RUNNING),
        (gated({"SUCCESS": 8, "FAILED": 2}), G.FAILED),
        (gated({"FAILED": 2, "INSTALLING": 8}), G.FAILED),
        (gated(REACHED), G.SOAKING),
        (gated(REACHED, soak_seconds=0), G.PASSED),
        (gated(REACHED, status=G.SOAKING, soak_until=NOW + timedelta(seconds=1)), G.SOAKING),
        (gated(REACHED, **SOAKED), G.PASSED),
        (gated(REACHED, **SOAKED, approval=True), G.AWAITING_APPROVAL),
        (gated(REACHED, **SOAKED, approval=True, approved=True), G.PASSED),
        (gated(REACHED, status=G.AWAITING_APPROVAL, soak_until=NOW, approval=True, approved=True), G.PASSED),
        (gated({"SUCCESS": 1, "FAILED": 9}, status=G.FAILED, approved=True), G.PASSED),
        (gated({"SUCCESS": 5, "PENDING": 5}, status=G.FAILED), G.RUNNING),
        (gated({"PENDING": 10}, min_success=0.0, soak_seconds=0), G.PASSED),
        (gated({"SUCCESS": 9, "FAILED": 1}, min_success=1.0), G.FAILED),
    ],
)
def test_a_gate_is_where_its_devices_are(at: Stage, wanted: StageStatus) -> None:
    assert gate(at, NOW)[0] is wanted


def test_the_soak_time_starts_when_enough_have_succeeded_and_is_not_started_again() -> None:
    _, until = gate(gated(REACHED), NOW)
    assert until == NOW + timedelta(seconds=60)
    later = NOW + timedelta(seconds=30)
    assert gate(gated(REACHED, status=G.SOAKING, soak_until=until), later) == (G.SOAKING, until)


@given(
    share=st.floats(0, 1),
    succeeded=st.integers(0, 500),
    failed=st.integers(0, 500),
    pending=st.integers(0, 500),
)
def test_a_gate_neither_opens_too_early_nor_fails_while_it_can_be_reached(
    share: float, succeeded: int, failed: int, pending: int
) -> None:
    at = gated(
        {"SUCCESS": succeeded, "FAILED": failed, "PENDING": pending, "SKIPPED": 3}, min_success=share, soak_seconds=0
    )
    status, _ = gate(at, NOW)
    total = succeeded + failed + pending
    if total:
        assert (status is G.PASSED) == (succeeded >= needed_successes(at))
        assert (status is G.FAILED) == (succeeded + pending < needed_successes(at))


@given(
    share=st.floats(0, 1),
    succeeded=st.integers(0, 50),
    failed=st.integers(0, 5),
    at_work=st.integers(0, 5),
    offline=st.integers(0, 5),
    refused=st.integers(0, 5),
    retry=st.integers(0, 3),
    again=st.integers(0, 3),
    turn=st.integers(0, 1),
)
def test_a_gate_is_stuck_when_it_would_not_open_even_if_all_that_are_not_held_back_succeeded(
    share: float,
    succeeded: int,
    failed: int,
    at_work: int,
    offline: int,
    refused: int,
    retry: int,
    again: int,
    turn: int,
) -> None:
    held = offline + refused
    counts = {"SUCCESS": succeeded, "FAILED": failed, "INSTALLING": at_work, "QUEUED": again, "SKIPPED": 2}
    waits = {"PENDING": held + retry + turn, "offline": offline, "refused": refused, "retry": retry}
    best = {"SUCCESS": succeeded + at_work + retry + turn, "FAILED": failed, "PENDING": held + again}
    now = gated(counts | waits, min_success=share)
    never_opens = gate(gated(best, min_success=share, soak_seconds=0), NOW)[0] is G.RUNNING
    assert is_stuck(now, again) == (never_opens and turn == 0)
    assert not is_stuck(replace(now, approved=True), again)
    assert not is_stuck(replace(now, gate=False), again)
    assert not is_stuck(replace(now, status=G.SOAKING), again)


def test_a_running_gate_that_an_approver_opened_is_passed() -> None:
    assert gate(gated({"SUCCESS": 5, "PENDING": 5}, approved=True), NOW)[0] is G.PASSED
    assert gate(gated({"SUCCESS": 5, "FAILED": 5}, approved=True), NOW)[0] is G.PASSED


@pytest.mark.parametrize(("share", "devices", "needed"), [(0.95, 20, 19), (0.95, 1, 1), (0.9, 10, 9), (0.07, 100, 7)])
def test_the_needed_successes_are_rounded_up_but_not_by_the_machine(share: float, devices: int, needed: int) -> None:
    assert needed_successes(gated({"PENDING": devices}, min_success=share)) == needed


def two(first: Stage, **given_: Any) -> LiveCampaign:
    rest = stage({"PENDING": 90}, number=1, status=G.WAITING)
    lenient = AbortPolicy(AbortRule.RATIO, 1, 1, 0.95)
    return campaign(first, rest, abort=lenient, **given_)


def test_a_gate_that_moves_is_written_down_once() -> None:
    soaking = judge(two(gated(REACHED)))
    assert soaking == StageMoved(G.SOAKING, NOW + timedelta(seconds=60))
    assert judge(two(gated(REACHED, status=soaking.status, soak_until=soaking.soak_until))) is None


def test_an_open_gate_lets_the_next_stage_begin() -> None:
    assert isinstance(judge(two(gated(REACHED, **SOAKED))), StagePassed)


def test_a_failed_gate_pauses_the_campaign() -> None:
    verdict = judge(two(gated({"SUCCESS": 1, "FAILED": 9})))
    assert isinstance(verdict, StageMoved)
    assert verdict.change is not None
    assert (verdict.change.status, verdict.change.reason_code) == (CampaignStatus.PAUSED, "gate_failed")
    assert verdict.change.detail == (
        "the stage needs 9 successes of 10 devices; 9 failed, so that can no longer be reached"
    )


def test_no_gate_is_judged_while_the_campaign_is_paused() -> None:
    assert judge(two(gated(REACHED, **SOAKED), status=CampaignStatus.PAUSED)) is None


def test_a_group_that_fits_into_the_first_stage_is_completed_without_soaking() -> None:
    lenient = AbortPolicy(AbortRule.RATIO, 1, 1, 0.95)
    verdict = judge(campaign(gated({"SUCCESS": 10}), stage({}, number=1), abort=lenient))
    assert isinstance(verdict, Change)
    assert verdict.event == "completed"


def test_the_last_stage_runs_without_a_gate() -> None:
    at_last = two(gated({"SUCCESS": 10}, status=G.PASSED))
    assert judge(replace(at_last, current_stage=1)) == StageMoved(G.RUNNING, None)
