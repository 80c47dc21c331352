"""Ownership is believed for half a session timeout after a commit that was answered was sent."""

from dispatcher_svc.membership import Membership

SESSION = 6.0


def proven(sent_at: float) -> Membership:
    membership = Membership(SESSION)
    membership.reset()
    membership.proven(sent_at, membership.term)
    return membership


def test_it_holds_for_half_the_session_timeout_after_the_proof() -> None:
    membership = proven(100.0)
    assert membership.holds(103.0)
    assert not membership.holds(103.001)


def test_a_new_assignment_needs_a_proof_of_its_own() -> None:
    membership = proven(100.0)
    membership.reset()
    assert not membership.holds(100.5)


def test_an_answer_to_a_commit_of_an_earlier_assignment_proves_nothing() -> None:
    membership = Membership(SESSION)
    membership.reset()
    term = membership.term
    membership.reset()
    membership.proven(100.9, term)
    assert not membership.holds(101.0)


def test_an_older_proof_never_replaces_a_newer_one() -> None:
    membership = proven(100.0)
    membership.proven(99.0, membership.term)
    assert membership.holds(103.0)
