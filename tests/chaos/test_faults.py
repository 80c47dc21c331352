"""Faults are drawn alike from the same seed; all that can be hurt is; options without sense are refused."""

from collections import Counter

import pytest
from typer.testing import CliRunner

from tests.chaos import lines, report
from tests.chaos.__main__ import INTERRUPTED, REFUSED, app, refusal
from tests.chaos.checker.commands import promise
from tests.chaos.faults import FOUNDATIONS, OF_PROCESSES, SERVICES, Kind, Targets, plans
from tests.chaos.history import Recovered
from tests.chaos.injury import concerns

TARGETS = Targets(
    {service: [f"{service}-1", f"{service}-2"] for service in SERVICES},
    FOUNDATIONS,
    ["dispatcher-svc-1 to kafka", "catalog-svc-2 to postgres", "fleet to mosquitto"],
)


def test_the_same_seed_draws_the_same_faults_and_another_one_others() -> None:
    assert list(plans(TARGETS, 50, 7, list(Kind))) == list(plans(TARGETS, 50, 7, list(Kind)))
    assert list(plans(TARGETS, 50, 7, list(Kind))) != list(plans(TARGETS, 50, 8, list(Kind)))


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert list(plans(TARGETS, 50, 7, list(Kind)))[:20] == list(plans(TARGETS, 20, 7, list(Kind)))


def test_everything_is_hurt_in_each_way_and_only_in_those_that_were_asked_for() -> None:
    drawn = Counter((plan.kind, plan.target) for plan in plans(TARGETS, 2000, 1, list(Kind)))
    for kind in Kind:
        for target in TARGETS.links if kind not in OF_PROCESSES else [*FOUNDATIONS, "catalog-svc-2"]:
            assert drawn[kind, target] > 5, (kind, target)
    assert {plan.kind for plan in plans(TARGETS, 50, 1, [Kind.KILL])} == {Kind.KILL}


@pytest.mark.parametrize(
    ("target", "aspects"),
    [
        ("campaign-svc-2", ("the process", "REST")),
        ("status-ingest-svc-1 to postgres", ("reports",)),
        ("kafka", ("commands", "reports")),
        ("fleet to mosquitto", ("commands", "reports")),
    ],
)
def test_what_is_looked_at_after_a_fault_is_what_it_hit(target: str, aspects: tuple[str, ...]) -> None:
    assert concerns(target) == aspects


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--faults", "0"], "FAULTS=0: at least one"),
        (["--devices", "10"], "DEVICES=10: 40 to 20,000"),
        (["--replicas", "9"], "REPLICAS=9: 1 to 5 of each service"),
        (["--kinds", "kill,burn"], "KINDS=kill,burn: of kill,stop,cut,slow,hole"),
    ],
)
def test_options_without_sense_are_refused_in_one_line(words: list[str], why: str) -> None:
    refused = CliRunner().invoke(app, words)
    assert (refused.exit_code, refused.output.strip()) == (REFUSED, f"chaos: {why}")
    assert INTERRUPTED != REFUSED
    assert refusal(50, 4000, 2, "kill") is None


def test_recovery_times_are_told_by_kind_and_by_what_was_hit_whichever_process_of_it() -> None:
    found = [
        lines.recovered(3.0),
        *(
            Recovered(at=1, fault=n, kind="kill", target=f"campaign-svc-{n}", aspect="REST", seconds=n, alone=n == 1)
            for n in (1, 2)
        ),
    ]
    campaign, kafka = report.recovery(found)
    assert (campaign.target, campaign.seconds, campaign.alone) == ("campaign-svc", [1, 2], [1])
    assert kafka.seconds == [3.0]


def test_the_promise_counts_a_burst_for_each_bucket() -> None:
    assert (promise(1 / 60), promise(10), promise(60)) == (1, 2, 12)
