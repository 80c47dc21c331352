"""The rules that every device must keep, each as a sentence."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fleetsim.device import (
    LAST_REPORT_FOR,
    UNSENT_MOST,
    Broke,
    Delivered,
    Downloaded,
    Event,
    FellSilent,
    Installed,
    Memory,
    Progressed,
    Received,
    Subscribed,
    Work,
    step,
)
from fleetsim.wire import Command, Report

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FRESH = Memory(version="1.0.0")


def command(campaign_id: int = 7, attempt: int = 1, minute: int = 0, *, version: str = "2.0.0") -> Command:
    """Issued at 12:`minute`, good for an hour."""
    return Command(
        type="ota_update",
        campaign_id=campaign_id,
        attempt=attempt,
        version=version,
        firmware_url="http://127.0.0.1/fw.bin",
        size=10,
        checksum="00",
        issued_at=f"2026-11-24T12:{minute:02}:00.000000Z",
        expires_at=NOON + timedelta(minutes=minute, hours=1),
    )


def after(memory: Memory, *events: Event, at: datetime = NOON) -> Memory:
    """The memory after some events, with everything delivered that was said before the last of them."""
    for event in events[:-1]:
        memory = step(memory, event, at)
    for report in memory.unsent:
        memory = step(memory, Delivered(report), at)
    return step(memory, events[-1], at)


def said(memory: Memory) -> list[tuple[int | None, int | None, str | None, int | None]]:
    return [(report.campaign_id, report.attempt, report.status, report.progress) for report in memory.unsent]


def test_fresh_device_begins_a_command_and_says_so() -> None:
    memory = after(FRESH, Received(command()))
    assert memory.at_hand == command()
    assert said(memory) == [(7, 1, "DOWNLOADING", 0)]


def test_update_is_reported_step_by_step_to_its_end() -> None:
    memory = after(FRESH, Received(command()), Progressed(7, 40))
    assert said(memory) == [(7, 1, "DOWNLOADING", 40)]
    memory = after(memory, Downloaded(7))
    assert said(memory) == [(7, 1, "INSTALLING", None)]
    memory = after(memory, Installed(7))
    assert memory.version == "2.0.0"
    assert memory.at_hand is None
    assert memory.unsent == (Report(7, "SUCCESS", version="2.0.0", attempt=1),)


def test_failure_is_reported_with_code_and_text_and_keeps_the_old_version() -> None:
    memory = after(FRESH, Received(command()), Broke(7, "bad_checksum", "it differs"))
    assert memory.unsent == (Report(7, "FAILED", error="it differs", error_code="bad_checksum", attempt=1),)
    assert (memory.version, memory.at_hand) == ("1.0.0", None)


def test_device_that_falls_silent_says_nothing_and_is_free_for_the_next_command() -> None:
    memory = after(FRESH, Received(command()), Downloaded(7), FellSilent(7))
    assert said(memory) == []
    assert said(after(memory, Received(command(attempt=2, minute=5)))) == [(7, 2, "DOWNLOADING", 0)]


@pytest.mark.parametrize("minute", [0, 3], ids=["a repeat", "an older one"])
def test_command_not_newer_is_answered_with_the_present_state_and_changes_nothing(minute: int) -> None:
    at_work = after(FRESH, Received(command(attempt=2, minute=3)), Downloaded(7))
    again = after(at_work, Received(command(attempt=1 if minute == 0 else 2, minute=minute)))
    assert said(again) == [(7, 2, "INSTALLING", None)]
    assert again.at_hand == at_work.at_hand


def test_repeat_of_a_finished_command_is_answered_with_its_outcome() -> None:
    done = after(FRESH, Received(command()), Installed(7))
    again = after(done, Received(command()))
    assert said(again) == [(7, 1, "SUCCESS", None)]
    assert again.at_hand is None


def test_each_repeat_gets_an_answer_of_its_own() -> None:
    done = after(FRESH, Received(command()), Installed(7))
    in_flight = done.unsent[0]
    repeated = step(done, Received(command()), NOON)
    assert said(step(repeated, Delivered(in_flight), NOON)) == [(7, 1, "SUCCESS", None)]


def test_device_already_on_the_version_answers_success_under_the_new_attempt() -> None:
    done = after(FRESH, Received(command()), Installed(7))
    answered = after(done, Received(command(attempt=2, minute=5)))
    assert said(answered) == [(7, 2, "SUCCESS", None)]
    assert (answered.at_hand, answered.handled) == (None, command(minute=5).issued_at)


def test_command_that_was_only_answered_is_not_acted_on_when_it_comes_again_later() -> None:
    answered = after(FRESH, Received(command(version="1.0.0")))
    elsewhere = after(answered, Received(command(8, minute=5, version="3.0.0")), Installed(8))
    again = after(elsewhere, Received(command(version="1.0.0")))
    assert (again.version, again.at_hand) == ("3.0.0", None)


def test_idle_device_never_acts_on_an_older_attempt() -> None:
    failed = after(FRESH, Received(command(attempt=2, minute=5)), Broke(7, "x", "x"))
    assert after(failed, Received(command(attempt=1))).at_hand is None


def test_newer_attempt_of_the_campaign_at_hand_takes_the_work_over() -> None:
    memory = after(FRESH, Received(command()), Progressed(7, 40), Received(command(attempt=2, minute=5)))
    assert said(memory) == [(7, 2, "DOWNLOADING", 40)]
    assert said(after(memory, Installed(7))) == [(7, 2, "SUCCESS", None)]


def test_command_of_another_campaign_waits_until_the_update_at_hand_has_ended() -> None:
    waiting = after(FRESH, Received(command()), Received(command(8, minute=5, version="3.0.0")))
    assert waiting.at_hand == command()
    assert said(waiting) == []
    begun = after(waiting, Installed(7))
    assert begun.at_hand == command(8, minute=5, version="3.0.0")
    assert said(begun) == [(7, 1, "SUCCESS", None), (8, 1, "DOWNLOADING", 0)]


@pytest.mark.parametrize("end", [Broke(7, "x", "x"), FellSilent(7)], ids=["failure", "silence"])
def test_waiting_command_begins_whatever_the_end_of_the_one_before(end: Work) -> None:
    waiting = after(FRESH, Received(command()), Received(command(8, minute=5)))
    assert after(waiting, end).at_hand == command(8, minute=5)


def test_waiting_command_that_has_expired_by_then_is_dropped_and_fails_under_its_own_attempt() -> None:
    waiting = after(FRESH, Received(command()), Received(command(8, 3, minute=5, version="3.0.0")))
    late = step(waiting, Installed(7), NOON + timedelta(hours=2))
    assert (late.at_hand, late.waiting) == (None, None)
    assert said(late) == [(7, 1, "SUCCESS", None), (8, 3, "FAILED", None)]
    assert late.unsent[-1].error_code == "expired"


def test_waiting_command_whose_version_is_there_by_then_is_answered_at_once() -> None:
    waiting = after(FRESH, Received(command()), Received(command(8, minute=5)))
    assert said(after(waiting, Installed(7))) == [(7, 1, "SUCCESS", None), (8, 1, "SUCCESS", None)]


def test_repeat_of_the_waiting_command_is_answered_and_still_waits() -> None:
    waiting = after(FRESH, Received(command()), Received(command(8, minute=5)))
    again = after(waiting, Received(command(8, minute=5)))
    assert said(again) == [(7, 1, "DOWNLOADING", 0)]
    assert again.waiting == command(8, minute=5)


def test_newer_command_takes_the_place_of_the_one_that_waits() -> None:
    memory = after(FRESH, *(Received(command(id_, minute=id_)) for id_ in (7, 8, 9)))
    assert memory.waiting == command(9, minute=9)


def test_waiting_command_is_never_acted_on_after_a_newer_one_of_the_campaign_at_hand() -> None:
    memory = after(FRESH, Received(command()), Received(command(8, minute=5)), Received(command(7, 2, minute=9)))
    assert after(memory, Installed(7)).at_hand is None


LATE = NOON + timedelta(hours=2)


def test_expired_command_is_not_acted_on_and_nothing_older_after_it() -> None:
    memory = step(FRESH, Received(command(minute=5)), LATE)
    assert (memory.at_hand, memory.handled) == (None, command(minute=5).issued_at)
    assert after(memory, Received(command(minute=4))).at_hand is None


def test_expired_command_fails_under_its_own_attempt_so_that_it_is_not_silence() -> None:
    memory = step(FRESH, Received(command(attempt=2)), LATE)
    [report] = memory.unsent
    assert (report.campaign_id, report.attempt, report.status) == (7, 2, "FAILED")
    assert report.error_code == "expired"
    assert str(LATE) in str(report.error), "whoever looks for a wrong clock finds it"
    assert after(memory, Received(command(attempt=2)), at=LATE).unsent == (report,), "a repeat is answered the same"


def test_expired_command_of_another_campaign_fails_without_a_word_on_the_update_at_hand() -> None:
    at_work = after(FRESH, Received(command()), Downloaded(7))
    refused = after(at_work, Received(command(8, 4, minute=5)), at=LATE)
    assert said(refused) == [(8, 4, "FAILED", None)]
    assert (refused.at_hand, refused.last) == (at_work.at_hand, at_work.last)
    assert said(after(refused, Subscribed(), at=LATE)) == [(7, 1, "INSTALLING", None)]


def test_newer_attempt_takes_the_work_over_even_when_it_has_expired() -> None:
    at_work = after(FRESH, Received(command()), Progressed(7, 40))
    taken_over = after(at_work, Received(command(attempt=2, minute=5)), at=LATE)
    assert said(taken_over) == [(7, 2, "DOWNLOADING", 40)], "nothing is begun, and the update is not given up"


def test_expired_command_to_the_version_at_hand_is_answered_with_success() -> None:
    done = after(FRESH, Received(command()), Installed(7))
    assert said(after(done, Received(command(attempt=2, minute=5)), at=LATE)) == [(7, 2, "SUCCESS", None)]


def _issued(text: str, attempt: int = 1, campaign_id: int = 7) -> Command:
    return structs.replace(command(campaign_id, attempt), issued_at=text)


IMPOSSIBLE = [
    "9999-12-31T23:59:59.999999Z",
    "2026-11-25T12:00:00.000001Z",
    "2026-13-01T00:00:00.000000Z",
    "2026-11-24T12:00:00Z",
    "2026-11-24T12:00:00.000000+00:00",
    "\u0662\u0660\u0662\u0666-11-24T12:00:00.000000Z",
    "tomorrow",
    "~",
]


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_command_of_a_time_that_cannot_be_is_refused_and_not_remembered(text: str) -> None:
    memory = step(FRESH, Received(_issued(text)), NOON)
    assert (memory.handled, memory.at_hand, memory.last) == ("", None, None)
    [report] = memory.unsent
    assert (report.campaign_id, report.attempt, report.status) == (7, 1, "FAILED")
    assert report.error_code == "bad_time"
    assert after(memory, Received(command(attempt=2))).at_hand == command(attempt=2), "it is not frozen"


def test_command_up_to_a_day_ahead_of_the_devices_clock_is_taken() -> None:
    ahead = _issued("2026-11-25T12:00:00.000000Z")
    assert step(FRESH, Received(ahead), NOON).at_hand == ahead


def test_device_without_a_clock_refuses_what_it_cannot_judge_and_takes_it_once_it_knows_the_time() -> None:
    unset = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    refused = step(FRESH, Received(command()), unset)
    assert [report.error_code for report in refused.unsent] == ["bad_time"]
    assert after(refused, Received(command())).at_hand == command()


@pytest.mark.parametrize("attempt", [1, 2])
def test_forged_time_does_not_unsay_the_update_at_hand(attempt: int) -> None:
    at_work = after(FRESH, Received(command()), Downloaded(7))
    assert said(after(at_work, Received(_issued(IMPOSSIBLE[0], attempt)))) == [(7, 1, "INSTALLING", None)]


def test_forged_time_does_not_unsay_an_outcome() -> None:
    done = step(after(FRESH, Received(command())), Installed(7), NOON)
    assert said(step(done, Received(_issued(IMPOSSIBLE[0])), NOON)) == [(7, 1, "SUCCESS", None)]


@pytest.mark.parametrize(
    ("refused", "now"),
    [(command(8, minute=5, version="3.0.0"), LATE), (_issued(IMPOSSIBLE[0], campaign_id=8), NOON)],
    ids=["expired", "forged"],
)
def test_refusal_does_not_take_the_place_of_an_outcome_that_is_still_to_be_sent(
    refused: Command, now: datetime
) -> None:
    done = step(after(FRESH, Received(command())), Installed(7), NOON)
    assert said(step(done, Received(refused), now)) == [(7, 1, "SUCCESS", None), (8, 1, "FAILED", None)]


def test_device_with_nothing_to_tell_says_after_a_connect_what_it_runs() -> None:
    assert after(FRESH, Subscribed()).unsent == (Report(version="1.0.0"),)


def test_last_report_is_repeated_after_every_connect_for_a_day() -> None:
    done = after(FRESH, Received(command()), Installed(7))
    for hours in (1, 24):
        assert said(after(done, Subscribed(), at=NOON + timedelta(hours=hours))) == [(7, 1, "SUCCESS", None)]
    late = after(done, Subscribed(), at=NOON + LAST_REPORT_FOR + timedelta(seconds=1))
    assert late.unsent == (Report(version="2.0.0"),)


def test_repeating_the_last_report_does_not_make_it_younger() -> None:
    done = after(FRESH, Received(command()), Installed(7))
    repeated = after(done, Subscribed(), at=NOON + timedelta(hours=20))
    assert repeated.last_at == NOON


def test_undelivered_report_stays_and_the_newest_state_of_an_attempt_takes_its_place() -> None:
    memory = step(FRESH, Received(command()), NOON)
    memory = step(memory, Progressed(7, 20), NOON)
    memory = step(memory, Progressed(7, 40), NOON)
    assert said(memory) == [(7, 1, "DOWNLOADING", 40)]


def test_report_that_changed_while_it_was_in_flight_is_still_to_be_sent() -> None:
    memory = step(FRESH, Received(command()), NOON)
    in_flight = memory.unsent[0]
    memory = step(memory, Downloaded(7), NOON)
    assert said(step(memory, Delivered(in_flight), NOON)) == [(7, 1, "INSTALLING", None)]


def test_outcomes_of_several_updates_wait_in_their_order_and_their_number_is_bounded() -> None:
    memory = FRESH
    for number in range(1, 12):
        memory = step(memory, Received(command(number, minute=number)), NOON)
        memory = step(memory, Broke(number, "x", "x"), NOON)
    assert [report.campaign_id for report in memory.unsent] == list(range(12 - UNSENT_MOST, 12))


@pytest.mark.parametrize("event", [Progressed(8, 50), Downloaded(8), Installed(8), Broke(8, "x", "x"), FellSilent(8)])
def test_word_of_an_update_that_is_not_at_hand_is_ignored(event: Work) -> None:
    at_work = after(FRESH, Received(command()))
    assert step(at_work, event, NOON) == at_work
    assert step(FRESH, event, NOON) == FRESH


commands = st.builds(
    command,
    campaign_id=st.integers(1, 3),
    attempt=st.integers(1, 3),
    minute=st.integers(0, 59),
    version=st.sampled_from(["2.0.0", "3.0.0"]),
)
work = st.integers(1, 3).flatmap(
    lambda number: st.sampled_from(
        [Progressed(number, 50), Downloaded(number), Installed(number), Broke(number, "x", "x"), FellSilent(number)]
    )
)
forged = st.builds(_issued, st.sampled_from([IMPOSSIBLE[0], *IMPOSSIBLE[2:]]), st.integers(1, 3), st.integers(1, 3))
happenings = st.lists(
    st.tuples((commands | forged).map(Received) | work | st.just(Subscribed()), st.integers(0, 90)), max_size=30
)


@given(happenings)
def test_device_acts_on_each_command_at_most_once_and_never_on_an_older_one_after_a_newer(
    events: list[tuple[Event, int]],
) -> None:
    memory, acted = FRESH, [""]
    for event, minute in events:
        before, memory = memory.at_hand, step(memory, event, NOON + timedelta(minutes=minute))
        if memory.at_hand is not None and memory.at_hand != before:
            assert memory.at_hand.issued_at > acted[-1]
            acted.append(memory.at_hand.issued_at)
        assert memory.handled >= acted[-1]
        assert memory.handled < "2026-11-25", "no forged time is remembered"
        assert memory.waiting is None or memory.at_hand is not None


@given(happenings)
def test_no_command_meets_silence_but_one_that_waits(events: list[tuple[Event, int]]) -> None:
    memory = FRESH
    for event, minute in events:
        before, memory = memory, step(memory, event, NOON + timedelta(minutes=minute))
        if isinstance(event, Received) and memory.waiting != event.command:
            assert not any(memory.unsent[-1] is report for report in before.unsent), "acted on, answered or refused"


@given(happenings)
def test_what_a_device_says_is_of_a_command_that_it_got_or_only_its_version(events: list[tuple[Event, int]]) -> None:
    memory, got = FRESH, set[tuple[int | None, int | None]]()
    for event, minute in events:
        if isinstance(event, Received):
            got.add((event.command.campaign_id, event.command.attempt))
        memory = step(memory, event, NOON + timedelta(minutes=minute))
        for report in memory.unsent:
            assert (report.campaign_id, report.attempt) in got | {(None, None)}
