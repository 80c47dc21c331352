"""The checker itself: histories in which a guarantee is broken are found out, by the shortest piece that shows it."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos import history, lines
from tests.chaos.checker.verdicts import Verdict, check
from tests.chaos.history import Announced, Finished, Line, Miscounted, Over, Trespassed, TwiceActive, Unfinished
from tests.chaos.lines import asked, campaign, command, did, looked, made, requested, row, said, update, written


def verdicts(*found: Line, observed: float = 0.0) -> dict[int, Verdict]:
    return {verdict.guarantee.number: verdict for verdict in check([looked(), *found], observed)}


def broken(*found: Line, observed: float = 0.0) -> set[int]:
    """The numbers of the guarantees that a history breaks."""
    return {number for number, verdict in verdicts(*found, observed=observed).items() if not verdict.holds}


def breaks_only(number: int, *found: Line) -> bool:
    """Whether it breaks that one. Fails when it breaks another."""
    numbers = broken(*found)
    assert numbers <= {number}, numbers
    return number in numbers


def test_a_history_in_which_nobody_looked_at_the_rows_shows_nothing() -> None:
    with pytest.raises(ValueError, match="nobody looked"):
        check([row("SUCCESS")])


def test_an_update_from_its_beginning_to_its_end_breaks_nothing() -> None:
    good: list[Line] = [
        made(),
        asked("start", 1),
        requested(),
        written(2),
        did("received", command(), at=2.1),
        update("began", at=2.1),
        said("DOWNLOADING", at=2.2),
        update("ended", at=3),
        said("SUCCESS", at=3),
        Announced(at=4, campaign=1, epoch=2, status="COMPLETED"),
        row("SUCCESS", completed_at=4),
        campaign(epoch=2),
        Over(at=2000),
    ]
    assert broken(*good) == set()


# 1


@pytest.mark.parametrize("status", ["PENDING", "QUEUED", "INSTALLING"])
@pytest.mark.parametrize("ended", ["COMPLETED", "ABORTED"])
def test_a_forgotten_device_is_found(ended: str, status: str) -> None:
    assert breaks_only(1, campaign(ended), row(status))
    assert not broken(campaign("RUNNING"), row(status))
    assert not broken(campaign(ended), row("SKIPPED"))


def test_a_row_that_has_disappeared_is_found() -> None:
    assert breaks_only(1, made(devices=2), campaign(), row("SUCCESS"))


# 2


def test_a_counter_that_is_wrong_in_a_snapshot_is_found() -> None:
    wrong = Miscounted(at=5, campaign=1, stage=0, counter="SUCCESS", counted=3, rows=2)
    assert breaks_only(2, wrong)


# 3


@pytest.mark.parametrize(
    ("at", "late"),
    [(9.9, False), (10.2, False), (10.3, True), (15.0, True), (19.9, True), (20.5, False), (30.2, False), (30.3, True)],
)
def test_a_command_after_a_pause_or_an_abort_is_found(at: float, late: bool) -> None:
    control = [asked("start", 0), asked("pause", 10), asked("start", 20), asked("abort", 30)]
    assert breaks_only(3, requested(), *control, written(at)) is late


def test_a_pause_counts_from_its_answer_and_only_if_it_was_announced() -> None:
    assert not broken(requested(), asked("pause", 10, answered=11), written(11.2))
    assert breaks_only(3, requested(), asked("pause", 10, answered=11), written(11.3))
    assert not broken(requested(), asked("pause", 10, status=202), written(15))


def test_a_start_that_was_answered_503_may_have_been_done() -> None:
    assert not broken(requested(), asked("pause", 10), asked("start", 14, status=503), written(15))
    assert breaks_only(3, requested(), asked("pause", 10), asked("start", 14, status=503), written(13))


def test_a_retry_may_reopen_a_campaign_that_has_completed_while_it_was_paused() -> None:
    assert not broken(requested(), asked("pause", 10), asked("retry", 14, status=202), written(15))
    assert breaks_only(3, requested(), asked("pause", 10), asked("retry", 14, status=202), written(13))


def test_a_command_that_was_perhaps_written_in_time_is_none_too_late() -> None:
    assert not broken(requested(), asked("pause", 10), written(12, late=1.8))
    assert breaks_only(3, requested(), asked("pause", 10), written(12, late=1.7))


# 4


@pytest.mark.parametrize(
    ("times", "too_fast"),
    [
        ([0, 0.1, 0.2, 0.3], False),
        ([0.1 * n for n in range(50)], False),
        ([0.07 * n for n in range(50)], True),
        ([0, 0.001, 0.002, 0.003], True),
        ([*(0.1 * n for n in range(20)), *(9 + 0.01 * n for n in range(15))], True),
    ],
    ids=["even", "long and even", "too fast all the time", "more than the burst", "too fast in the end"],
)
def test_a_broken_rate_is_found(times: Sequence[float], too_fast: bool) -> None:
    assert breaks_only(4, made(), requested(), *(written(at) for at in times)) is too_fast


def test_a_window_is_as_long_as_it_may_have_been() -> None:
    burst = [written(10, late=1.0) for _ in range(12)]
    assert not broken(made(), requested(), *burst)
    assert breaks_only(4, made(), requested(), *burst, written(10, late=1.0))
    assert not broken(made(), requested(), *burst, written(10, late=1.0), observed=0.5)


def test_the_shortest_window_is_shown() -> None:
    even = [written(0.1 * n) for n in range(100)]
    shown = verdicts(made(), requested(), *even, written(10.0), written(10.001), written(10.002))[4].shortest
    assert shown is not None
    assert 2 <= len(shown.lines) <= 4


# 5


@pytest.mark.parametrize(
    ("word", "found", "lost"),
    [
        ("SUCCESS", row("SUCCESS"), False),
        ("SUCCESS", row("INSTALLING"), True),
        ("SUCCESS", row("FAILED", error_code="install_failed"), True),
        ("SUCCESS", row("FAILED", error_code="timeout"), True),
        ("SUCCESS", row("FAILED", error_code="version_mismatch"), False),
        ("SUCCESS", row("PENDING", failures=1), True),
        ("FAILED", row("FAILED", failures=1), False),
        ("FAILED", row("PENDING", failures=1), False),
        ("FAILED", row("FAILED", failures=1, error_code="timeout"), True),
        ("FAILED", row("SKIPPED", failures=1, skip_reason="superseded"), False),
        ("FAILED", row("SKIPPED", failures=0, skip_reason="superseded"), True),
        ("FAILED", row("SKIPPED", failures=1, skip_reason="wrong_device_type"), False),
        ("FAILED", row("SKIPPED", failures=1, skip_reason="excluded"), False),
        ("FAILED", row("SKIPPED", failures=1, skip_reason="aborted"), True),
        ("SUCCESS", row("SKIPPED", failures=1, skip_reason="already_on_version"), True),
        ("FAILED", row("DOWNLOADING"), True),
        ("FAILED", row("SUCCESS"), True),
        ("INSTALLING", row("QUEUED"), False),
    ],
)
def test_a_lost_report_is_found(word: str, found: history.Row, lost: bool) -> None:
    assert breaks_only(5, said(word), found) is lost
    assert not broken(said(word, reason_code=16), found)
    assert not broken(said(word, attempt=2), found)


@pytest.mark.parametrize("code", ["expired", "bad_time"])
def test_a_command_that_came_too_late_to_be_begun_is_no_lost_word(code: str) -> None:
    payload = json.dumps({"campaign_id": 1, "attempt": 1, "status": "FAILED", "error_code": code})
    assert not broken(did("sent", payload), row("PENDING", failures=0))


@pytest.mark.parametrize(("at", "lost"), [(95, True), (99, False), (105, False)])
def test_a_word_that_came_after_the_end_is_not_lost(at: float, lost: bool) -> None:
    found = row("FAILED", error_code="timeout", completed_at=100.0)
    assert breaks_only(5, said("SUCCESS", at=at), found) is lost


# 6


def test_two_active_updates_are_found() -> None:
    assert breaks_only(6, TwiceActive(at=5, tenant="t", device="d", campaigns=[1, 2]))


def test_a_device_that_begins_a_second_update_at_once_is_found() -> None:
    other = command(campaign=2, issued=1)
    came: list[Line] = [
        requested(),
        requested(other, campaign=2),
        did("received", command()),
        did("received", other, at=1.9),
    ]
    first, ended, second = update("began", at=1), update("ended", at=1.5), update("began", campaign=2, at=2)
    assert breaks_only(6, *came, first, second)
    assert not broken(*came, first, ended, second)


# 7


def finished(at: float, status: str, digest: str, reason: str | None = None) -> Finished:
    return Finished(at=at, tenant="t", campaign=1, device="d", status=status, digest=digest, skip_reason=reason)


def unfinished(at: float) -> Unfinished:
    return Unfinished(at=at, tenant="t", campaign=1, device="d", status="PENDING")


@pytest.mark.parametrize(
    ("seen", "changed"),
    [
        ([finished(1, "SUCCESS", "a"), finished(2, "SUCCESS", "b")], True),
        ([finished(1, "SUCCESS", "a"), unfinished(2)], True),
        ([finished(1, "FAILED", "a"), unfinished(2)], True),
        ([finished(1, "FAILED", "a"), asked("retry", 1.5), unfinished(2), finished(3, "SUCCESS", "b")], False),
        ([finished(1, "FAILED", "a"), asked("retry", 1.5), finished(2, "FAILED", "b")], False),
        (
            [finished(1, "FAILED", "a"), asked("retry", 1.5), unfinished(2), finished(3, "FAILED", "b"), unfinished(4)],
            True,
        ),
        ([finished(1, "SUCCESS", "a"), asked("retry", 1.5), unfinished(2)], True),
        ([finished(1, "FAILED", "a"), unfinished(2), asked("retry", 3)], True),
        ([finished(1, "SKIPPED", "a", "wrong_device_type"), asked("start", 1.5), unfinished(2)], False),
        ([finished(1, "SKIPPED", "a", "wrong_device_type"), unfinished(2)], True),
        ([finished(1, "SKIPPED", "a", "aborted"), asked("start", 1.5), unfinished(2)], True),
    ],
)
def test_a_finished_row_that_changes_is_found(seen: Sequence[Line], changed: bool) -> None:
    assert breaks_only(7, *seen) is changed


# 8


@pytest.mark.parametrize(
    ("seen", "wanted", "different"),
    [
        ([command()], [command()], False),
        ([command(), command()], [command(), command()], False),
        ([command(version="3")], [command()], True),
        ([], [command(), command(version="3")], True),
        ([command()], [], True),
        (["no command"], [command()], True),
    ],
)
def test_a_command_that_differs_is_found(seen: Sequence[str], wanted: Sequence[str], different: bool) -> None:
    requests = [requested(text) for text in wanted]
    assert breaks_only(8, *requests, *(written(n, text) for n, text in enumerate(seen))) is different
    assert breaks_only(8, *requests, *(did("received", text) for text in seen)) is different


FIRST, SECOND = command(), command(attempt=2, issued=1)
BOTH = [requested(), requested(SECOND, attempt=2)]


@pytest.mark.parametrize(
    ("story", "wrong"),
    [
        ([did("received", FIRST), update("began"), update("ended"), did("received", FIRST)], False),
        ([did("received", FIRST), update("began"), update("ended"), update("began")], True),
        (
            [
                did("received", FIRST),
                update("began"),
                update("ended"),
                did("received", SECOND),
                update("began", attempt=2),
                update("ended", attempt=2),
            ],
            False,
        ),
        ([did("received", SECOND), did("received", FIRST), update("began")], True),
    ],
    ids=["once", "twice", "again under a new attempt", "an older after a newer"],
)
def test_a_device_that_acts_wrongly_is_found(story: Sequence[Line], wrong: bool) -> None:
    assert breaks_only(8, *BOTH, *story) is wrong


# 9


@pytest.mark.parametrize(("status", "reached"), [(404, False), (503, False), (200, True), (403, True)])
def test_somebody_who_reaches_another_tenants_campaign_is_found(status: int, reached: bool) -> None:
    asks = Trespassed(at=5, tenant="other", path="/customer/ota/campaigns/1", status=status)
    assert breaks_only(9, asks) is reached


def test_a_command_to_another_tenants_device_is_found() -> None:
    assert 9 in broken(campaign(), requested(), written(1, tenant="other"))
    assert 9 in broken(campaign(tenant="other"), row("SUCCESS"))


# 10


def test_dispatchers_that_were_told_something_else_are_found() -> None:
    assert breaks_only(10, campaign(epoch=3))
    assert breaks_only(10, campaign(epoch=3), Announced(at=5, campaign=1, epoch=2, status="RUNNING"))
    assert not broken(campaign(epoch=3), Announced(at=5, campaign=1, epoch=3, status="COMPLETED"))


def test_what_did_not_come_back_is_found() -> None:
    assert breaks_only(10, lines.fault(), lines.recovered(None))
    assert not broken(lines.fault(), lines.recovered(3.0))


@pytest.mark.parametrize(("status", "completed_at"), [("RUNNING", None), ("PAUSED", None), ("ABORTED", None)])
def test_a_campaign_that_never_ends_is_found_where_its_end_was_waited_for(status: str, completed_at: None) -> None:
    assert breaks_only(10, campaign(status, completed_at=completed_at), Over(at=2000))
    assert not broken(campaign(status, completed_at=completed_at))


def test_what_was_written_down_is_read_again(tmp_path: Path) -> None:
    found = [looked(), made(), asked("pause", 3), written(4, late=0.1), row("FAILED", error_code="timeout")]
    recorder = history.Recorder(tmp_path / "run" / "history.jsonl")
    recorder.note(*found)
    recorder.close()
    assert list(history.read(recorder.path)) == found
