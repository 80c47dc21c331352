"""Ownership is believed for half a session timeout after a commit that was answered was sent."""

from dispatcher_svc.membership import Membership

SESSION = 6.0


def proven(sent_at: float) -> Membership:
    membership = Membership(SESSION)
    membership.assigned(sent_at)
    membership.proven(sent_at, membership.term)
    return membership


def test_it_holds_for_half_the_session_timeout_after_the_proof() -> None:
    membership = proven(100.0)
    assert membership.holds(103.0)
    assert not membership.holds(103.001)


def test_a_new_assignment_needs_a_proof_of_its_own() -> None:
    membership = proven(100.0)
    membership.assigned(100.5)
    assert not membership.holds(100.5)


def test_an_answer_to_a_commit_of_an_earlier_assignment_proves_nothing() -> None:
    membership = Membership(SESSION)
    membership.assigned(100.0)
    term = membership.term
    membership.assigned(101.0)
    membership.proven(100.9, term)
    assert not membership.holds(101.0)


def test_an_older_proof_never_replaces_a_newer_one() -> None:
    membership = proven(100.0)
    membership.proven(99.0, membership.term)
    assert membership.holds(103.0)


def test_it_is_given_up_when_nothing_proved_it_for_so_long() -> None:
    membership = Membership(SESSION)
    membership.assigned(100.0)
    assert not membership.given_up(103.0)
    assert membership.given_up(103.1)
    membership.proven(102.0, membership.term)
    assert not membership.given_up(105.0)
    assert membership.given_up(105.1)
