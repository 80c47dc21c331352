"""What the live view makes of recorded answers of the API."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from local_stack.demo.run import ended_as_meant, is_over
from local_stack.watch import timeline
from local_stack.watch.bars import apportion
from local_stack.watch.progress import Progress
from local_stack.watch.reading import Reading, printable
from local_stack.watch.show import Lines
from local_stack.watch.stages import clock, where
from local_stack.watch.stopping import distance
from local_stack.watch.view import held_back, pace, panel, plain, summary
from tests.local.recorded import ABORTED, GATE_FAILED, campaign, entry, reading, reasons, stage, watched


def shown(what: RenderableType, width: int = 120) -> str:
    console = Console(width=width, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def progress_of(*dispatched: tuple[float, int]) -> Progress:
    progress = Progress()
    for at, devices in dispatched:
        progress.add(reading(campaign(dispatched_devices=devices), at=at))
    return progress


def test_rate_is_taken_from_successive_readings() -> None:
    progress = progress_of(*((second, 20 * second) for second in range(11)))
    assert progress.rate == pytest.approx(1200)
    assert progress.mean_rate == pytest.approx(1200)


def test_what_was_commanded_before_the_first_look_is_no_rate() -> None:
    progress = progress_of((0.0, 40_000), (1.0, 40_010))
    assert progress.rate == pytest.approx(600)
    assert progress.mean_rate == pytest.approx(600)


def test_rate_falls_to_nothing_when_nothing_more_is_commanded_but_the_mean_stays() -> None:
    progress = progress_of(*((second, 20 * min(second, 10)) for second in range(30)))
    assert progress.rate == 0
    assert progress.mean_rate == pytest.approx(1200)


def test_rate_before_the_second_reading_is_unknown() -> None:
    assert (progress_of((0.0, 7)).rate, progress_of((0.0, 7)).mean_rate) == (0, None)


WAITING = {"offline": 1312, "refused": 0, "retry": 1}
OFFLINE = "1,312 offline: sent again after a pause that grows to an hour, or once heard"
RETRY = "1 after a failed attempt: tried again after a pause that grows to an hour"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"waiting": WAITING}, f"{OFFLINE}; {RETRY}"),
        ({"waiting": WAITING, "status": "PAUSED"}, "1,312 offline; 1 after a failed attempt"),
        ({"waiting": WAITING, "status": "ABORTED"}, ""),
        (
            {"waiting": WAITING | {"of a later version": 5}, "status": "PAUSED"},
            "1,312 offline; 1 after a failed attempt",
        ),
        ({}, ""),
    ],
)
def test_who_is_held_back_is_told_with_what_happens_next(facts: dict[str, Any], said: str) -> None:
    seen = watched(reading(campaign(**facts)))
    assert held_back(seen.reading) == said
    assert said in plain(seen)
    assert ("waiting" in shown(panel(seen, 200), 200)) == bool(said)


WITHDRAWN = {"at": "2026-11-24T12:00:00.000000Z", "by": "ann@acme", "reason": "bricks the radio"}
BY_WITHDRAWAL = {
    "code": "firmware_withdrawn",
    "detail": "firmware 2.1.0 was withdrawn by ann@acme: bricks the radio",
    "by": None,
    "at": "2026-11-24T12:00:01.000000Z",
}


@pytest.mark.parametrize("reason", [None, BY_WITHDRAWAL])
def test_a_withdrawn_firmware_is_told_once_with_by_whom_and_why(reason: object) -> None:
    facts: dict[str, Any] = {"status": "PAUSED", "status_reason": reason, "firmware_withdrawal": WITHDRAWN}
    seen = watched(reading(campaign(**facts)))
    for text in (plain(seen), shown(panel(seen, 200), 200)):
        assert text.count("was withdrawn by ann@acme: bricks the radio") == 1


def test_a_service_that_does_not_count_who_waits_is_watched_too() -> None:
    answer = campaign()
    del answer["waiting"]
    assert held_back(reading(answer)) == ""


CANARY = stage(0, 10, "SOAKING", SUCCESS=10, soak_until="2026-11-24T12:00:05.000000Z")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"eta": "2026-11-24T12:14:59.000000Z"}, "last command in about 14:59"),
        ({"eta": "2026-11-24T11:59:59.000000Z"}, "last command in about 0 s"),
        ({"eta": None}, "end not foreseeable"),
        ({"stages": [stage(0, 500, "RUNNING", SUCCESS=400, INSTALLING=100)]}, "no device waits"),
        ({"started_at": None, "status": "CREATED"}, "not started"),
        ({"completed_at": "2026-11-24T12:30:00.000000Z", "status": "COMPLETED"}, "30:30 so far"),
        ({}, "30 s so far"),
    ],
)
def test_time_so_far_and_time_left_are_told_by_the_servers_clock(facts: dict[str, Any], said: str) -> None:
    assert said in pace(reading(campaign(**facts)), Progress())


SETTLED = [stage(0, 500, "RUNNING", SUCCESS=50, FAILED=8, SKIPPED=442)]
AT_WORK = [stage(0, 500, "RUNNING", SUCCESS=50, FAILED=8, SKIPPED=440, INSTALLING=2)]
GATE = [stage(0, 10, "FAILED", SUCCESS=7, FAILED=3), stage(1, 90)]
GATE_AT_WORK = [stage(0, 10, "FAILED", SUCCESS=6, FAILED=3, INSTALLING=1), stage(1, 90)]


@pytest.mark.parametrize(
    ("answer", "over", "as_meant"),
    [
        (campaign(), False, False),
        (campaign([stage(0, 500, "RUNNING", SUCCESS=490, FAILED=10)], status="COMPLETED"), True, True),
        (campaign(SETTLED, status="ABORTED", status_reason=ABORTED), True, True),
        (campaign(AT_WORK, status="ABORTED", status_reason=ABORTED), False, False),
        (campaign(SETTLED, status="ABORTED", status_reason=ABORTED | {"code": "operator"}), True, False),
        (campaign(GATE, status="PAUSED", status_reason=GATE_FAILED), True, True),
        (campaign(GATE_AT_WORK, status="PAUSED", status_reason=GATE_FAILED), False, False),
        (campaign(GATE, status="PAUSED", status_reason=GATE_FAILED | {"code": "operator"}), False, False),
    ],
)
def test_demo_is_over_when_nothing_more_happens_and_good_when_nobody_interfered(
    answer: Any, over: bool, as_meant: bool
) -> None:
    last = reading(answer)
    assert (is_over(last), ended_as_meant(last)) == (over, as_meant)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (stage(0, 10), "waits; 8 of 10 must succeed, 1:00 soak"),
        (stage(0, 10, approval=True, soak_seconds=0), "waits; 8 of 10 must succeed, approval"),
        (stage(0, 10, "RUNNING", SUCCESS=3), "3 succeeded; 8 of 10 must succeed, 1:00 soak"),
        (stage(0, 10, "RUNNING", SKIPPED=5), "0 succeeded; 4 of 5 must succeed, 1:00 soak"),
        (CANARY, "10 succeeded; soaking, 5 s left"),
        (CANARY | {"soak_until": "2026-11-24T11:00:00.000000Z"}, "10 succeeded; soaking, 0 s left"),
        (stage(0, 10, "AWAITING_APPROVAL", SUCCESS=9), "9 succeeded; waits for an approver"),
        (stage(0, 10, "FAILED", SUCCESS=7, FAILED=3), "gate failed: 8 of 10 must succeed, 1:00 soak, 3 failed"),
        (stage(0, 10, "PASSED", SUCCESS=10), "passed"),
    ],
)
def test_stage_says_what_its_gate_waits_for(told: dict[str, Any], said: str) -> None:
    assert where(told, reading(campaign([told, stage(1, 90)]))) == said


def test_a_gate_that_cannot_open_by_itself_is_told_with_who_may_open_it() -> None:
    stuck = stage(0, 10, "RUNNING", SUCCESS=7, stuck_since="2026-11-24T11:59:30.000000Z")
    seen = reading(campaign([stuck, stage(1, 90)]))
    said = "cannot open by itself, needs devices that are held back: an approver may open it"
    assert where(stuck, seen) == f"7 succeeded; 8 of 10 must succeed, 1:00 soak; {said}"
    assert said in plain(watched(seen))


def test_last_stage_has_no_gate_and_is_done_with_the_campaign() -> None:
    last = stage(0, 10, "RUNNING", SUCCESS=10)
    assert where(last, reading(campaign([last]))) == "rolling out"
    assert where(last, reading(campaign([last], status="PAUSED"))) == "paused"
    assert where(last, reading(campaign([last], status="COMPLETED"))) == "done"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (7.2, "8 s"), (59.5, "1:00"), (899, "14:59"), (7200, "2:00:00")]
)
def test_clock_reads_as_people_say_it(seconds: float, said: str) -> None:
    assert clock(seconds) == said


@pytest.mark.parametrize(
    ("facts", "share", "colour", "said"),
    [
        ({"failing_devices": 3}, 3 / 21, "green", "3 of 0 commanded devices have failed an attempt; stops at 21"),
        (
            {"failing_devices": 12},
            12 / 21,
            "yellow",
            "(20% sure that more than 10% fail; it stops when 95% sure)",
        ),
        ({"failing_devices": 25}, 1.0, "red", "stops at 21"),
        ({"abort_at": None}, 0.0, "green", "no number of failures would stop it yet"),
        ({"e_value": 1e-9}, 0.0, "green", "(no sign yet that more than 10% fail; it stops when 95% sure)"),
        ({"e_value": 1.0}, 0.0, "green", "(no sign yet that more than 10% fail;"),
        ({"e_value": 19.99}, 0.0, "green", "(94% sure that more than 10% fail; it stops when 95% sure)"),
        (
            {"e_value": 20.0, "abort_confidence": 0.9999},
            0.0,
            "green",
            "(95% sure that more than 10% fail; it stops when 99.99% sure)",
        ),
        ({"status": "COMPLETED"}, 0.0, "green", "have failed an attempt (20% sure that more than 10% fail"),
        (
            {"abort_rule": "ratio", "e_value": None, "failed": 5, "succeeded": 45, "abort_at": 6},
            5 / 6,
            "red",
            "5 of 50 finished devices have failed; stops at 6 (more than 10% of at least 1)",
        ),
    ],
)
def test_distance_to_the_abort_line_is_told_as_the_rule_counts(
    facts: dict[str, Any], share: float, colour: str, said: str
) -> None:
    told = distance(campaign(**facts))
    assert told.share == pytest.approx(share)
    assert told.colour == colour
    assert said in told.words


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (entry("started", by="alice"), "started by alice"),
        (entry("paused", by="bob", reason="too warm", code="operator"), "paused by bob · too warm"),
        (entry("gate_passed", stage=0, succeeded=10), "gate passed by the system · stage 0, succeeded 10"),
        (
            entry(
                "approved", by="eve", reason="closed shops", stage=0, gate="RUNNING", succeeded=94, needed=95, offline=6
            ),
            "gate opened before it was reached by eve · closed shops · stage 0, succeeded 94, needed 95, offline 6",
        ),
        (entry("approved", by="eve", stage=0), "approved by eve · stage 0"),
        (
            entry("completed", reason="no device was updated", succeeded=0, skipped={"superseded": 3, "deadline": 1}),
            "completed by the system · no device was updated · succeeded 0, skipped 3 superseded and 1 deadline",
        ),
        (
            entry("aborted", reason="9 of 30 failed", code="abort_sequential", failing=9, e_value=23.456789),
            "aborted by rule abort_sequential · 9 of 30 failed · failing 9",
        ),
    ],
)
def test_timeline_says_who_or_which_rule_why_and_what_was_counted(happened: dict[str, Any], said: str) -> None:
    time, _, text = timeline.line(happened).partition("  ")
    assert text == said
    assert time.endswith(":30"), "the time of day where the reader is"


@given(counts=st.lists(st.integers(0, 1000), min_size=8, max_size=8), width=st.integers(8, 200))
def test_bar_is_full_and_shows_whoever_is_there(counts: list[int], width: int) -> None:
    cells = apportion(counts, width)
    assert sum(cells) == (width if any(counts) else 0)
    assert all((count > 0) == (cell > 0) for count, cell in zip(counts, cells, strict=True))


def stopped() -> Reading:
    stages = [stage(0, 10, "PASSED", SUCCESS=10), stage(1, 490, "RUNNING", SUCCESS=40, FAILED=9, SKIPPED=441)]
    answer = campaign(stages, status="ABORTED", status_reason=ABORTED, current_stage=1)
    answer["reasons"] = reasons(bad_checksum=8, timeout=1)
    return reading(answer, timeline=[entry("aborted", code="abort_sequential", failing=9)])


@pytest.mark.parametrize("width", [60, 120, 250])
def test_picture_has_everything_in_words_at_any_width(width: int) -> None:
    text = " ".join(shown(panel(watched(stopped()), width), width).replace("│", " ").split())
    for word in ("ABORTED", "success 50", "failed 9", "skipped 441", "early", "bad_checksum 8", "timeline"):
        assert word in text


def test_picture_fits_a_narrow_terminal() -> None:
    lines = shown(panel(watched(stopped()), 30), 30).splitlines()
    assert max(map(len, lines)) == 30


@pytest.mark.parametrize("render", [lambda seen: panel(seen, 120), plain, summary])
def test_every_view_says_counts_reason_and_failures(render: Any) -> None:
    text = shown(render(watched(stopped())))
    for word in ("ABORTED", "abort_sequential", "9 of 30", "bad_checksum", "timeout"):
        assert word in text.replace("\n", " ")
    for status, count in (("success", "50"), ("failed", "9"), ("skipped", "441")):
        assert status in text
        assert count in text


def test_lost_connection_is_shown_with_the_age_of_what_is_shown() -> None:
    text = shown(panel(watched(reading(at=10.0), lost="GET /campaign: ConnectError", at=14.0), 120))
    assert "connection lost; this is as of 4 s ago; trying again (GET /campaign: ConnectError)" in text


def test_a_campaign_for_what_another_one_left_says_so() -> None:
    of = {"campaign_id": 6, "statuses": ["FAILED", "SKIPPED"]}
    seen = reading(campaign(target_group_id=None, target_of=of))
    assert "Autumn · 2.1.0 to what campaign 6 left" in shown(panel(watched(seen), 120))


def test_names_and_texts_neither_move_the_cursor_nor_are_read_as_markup() -> None:
    seen = reading(printable(campaign(name="[red]x[/] \x1b[2J\r\x07", target_group_id="[/bold]")))
    assert "\x1b" not in str(seen.campaign)
    assert "[red]x[/]" in shown(panel(watched(seen), 120))
    assert "[/bold]" in shown(panel(watched(seen), 120))
    assert "[red]x[/]" in shown(summary(watched(seen)))


class TestLines:
    """Where there is no terminal."""

    def test_each_entry_of_the_timeline_is_said_once(self) -> None:
        lines = Lines()
        assert "created by alice" in lines.of(watched(reading(timeline=[entry("created", by="alice")])))[0]
        more = [entry("created", by="alice"), entry("started", by="alice")]
        said = lines.of(watched(reading(at=11.0, timeline=more)))
        assert ["created" in line for line in said] == [False, False]
        assert "started by alice" in said[0]

    def test_counts_are_said_when_they_changed_and_now_and_then(self) -> None:
        lines, still = Lines(), campaign()
        moved = campaign([stage(0, 500, "RUNNING", SUCCESS=1)])
        said = [
            len(lines.of(watched(reading(answer, at=at))))
            for at, answer in (
                (0.0, still),
                (4.0, still),
                (5.0, moved),
                (6.0, moved),
                (7.0, still),
                (34.0, moved),
                (65.0, moved),
            )
        ]
        assert said == [1, 0, 1, 0, 0, 0, 1]

    def test_loss_and_return_of_the_connection_are_said_once_each(self) -> None:
        lines, seen = Lines(), reading(at=1.0)
        lines.of(watched(seen))
        assert "connection lost" in lines.of(watched(seen, lost="ConnectError", at=2.0))[0]
        assert lines.of(watched(seen, lost="ConnectError", at=3.0)) == []
        assert lines.of(watched(reading(at=4.0)))[0] == "connected again"
