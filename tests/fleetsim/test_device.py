"""The rules that every device must keep, each as a sentence."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_waiting_command_is_dropped_when_it_has_expired_by_then() -> None:
    waiting = after(FRESH, Received(command()), Received(command(8, minute=5)))
    late = step(waiting, Installed(7), NOON + timedelta(hours=2))
    assert (late.at_hand, late.waiting) == (None, None)


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


def test_expired_command_is_not_acted_on_and_nothing_older_after_it() -> None:
    memory = step(FRESH, Received(command(minute=5)), NOON + timedelta(hours=2))
    assert memory.at_hand is None
    assert memory.unsent == (Report(version="1.0.0"),)
    assert after(memory, Received(command(minute=4))).at_hand is None


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
happenings = st.lists(st.tuples(commands.map(Received) | work | st.just(Subscribed()), st.integers(0, 90)), max_size=30)


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
        assert memory.waiting is None or memory.at_hand is not None


@given(happenings)
def test_what_a_device_says_is_of_a_command_that_it_got_or_only_its_version(events: list[tuple[Event, int]]) -> None:
    memory, got = FRESH, set[tuple[int | None, int | None]]()
    for event, minute in events:
        if isinstance(event, Received):
            got.add((event.command.campaign_id, event.command.attempt))
        memory = step(memory, event, NOON + timedelta(minutes=minute))
        for report in memory.unsent:
            assert (report.campaign_id, report.attempt) in got | {(None, None)}
