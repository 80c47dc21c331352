"""What is known of campaigns: the highest epoch, and nothing on knowledge that may be stale."""

import pytest

from dispatcher_svc.knowledge import Knowledge, Stand
from pulse.contracts.kafka import ControlStatus, Outcome
from tests.dispatcher_svc.factories import control, request

MAX_AGE = 0.2


def knowing(epoch: int, status: ControlStatus) -> Knowledge:
    knowledge = Knowledge(MAX_AGE)
    knowledge.learn(control(epoch=epoch, status=status))
    return knowledge


@pytest.mark.parametrize(
    ("epoch", "status", "expected"),
    [
        (3, "RUNNING", Stand.GO),
        (3, "PAUSED", Outcome.RETURNED),
        (3, "ABORTED", Outcome.CANCELLED),
        (3, "COMPLETED", Outcome.CANCELLED),
        (4, "RUNNING", Outcome.RETURNED),
        (4, "PAUSED", Outcome.RETURNED),
        (4, "ABORTED", Outcome.CANCELLED),
        (2, "RUNNING", Stand.WAIT),
        (2, "PAUSED", Stand.WAIT),
        (2, "ABORTED", Stand.WAIT),
    ],
)
def test_a_request_of_epoch_three_stands_by_what_is_known(
    epoch: int, status: ControlStatus, expected: Stand | Outcome
) -> None:
    knowledge = knowing(epoch, status)
    assert knowledge.stand(request(epoch=3), expired=False) is expected
    assert knowledge.stand(request(epoch=3), expired=True) is Outcome.EXPIRED


def test_a_campaign_that_nothing_is_known_of_waits() -> None:
    assert Knowledge(MAX_AGE).stand(request(epoch=1), expired=False) is Stand.WAIT


def test_an_older_record_never_replaces_a_newer_one() -> None:
    knowledge = knowing(5, "PAUSED")
    assert not knowledge.learn(control(epoch=4, status="RUNNING"))
    assert not knowledge.learn(control(epoch=5, status="RUNNING"))
    assert knowledge.stand(request(epoch=5), expired=False) is Outcome.RETURNED


def test_knowledge_is_as_old_as_the_question_not_as_its_answer() -> None:
    knowledge = Knowledge(MAX_AGE)
    knowledge.read_to(10)
    knowledge.answered(asked_at=100.0, end=10)
    assert knowledge.is_fresh(100.19)
    assert not knowledge.is_fresh(100.21)


def test_it_is_fresh_only_when_all_below_the_end_has_been_read() -> None:
    knowledge = Knowledge(MAX_AGE)
    knowledge.answered(asked_at=100.0, end=10)
    knowledge.read_to(9)
    assert not knowledge.is_fresh(100.05)
    assert not knowledge.is_complete
    knowledge.read_to(10)
    assert knowledge.is_fresh(100.05)
    assert knowledge.is_complete


def test_a_topic_that_grows_all_the_time_is_fresh_as_of_the_last_end_reached() -> None:
    knowledge = Knowledge(MAX_AGE)
    for n in range(5):
        knowledge.answered(asked_at=100.0 + n, end=10 * n)
    knowledge.read_to(25)
    assert knowledge.age(104.0) == pytest.approx(2.0)


def test_an_answer_that_lay_in_a_socket_during_a_stop_makes_nothing_fresh() -> None:
    knowledge = Knowledge(MAX_AGE)
    knowledge.answered(asked_at=100.0, end=0)
    knowledge.answered(asked_at=100.05, end=0)
    assert not knowledge.is_fresh(130.0)


def test_an_empty_topic_can_be_complete() -> None:
    knowledge = Knowledge(MAX_AGE)
    assert not knowledge.is_complete
    knowledge.answered(asked_at=1.0, end=0)
    assert knowledge.is_complete
