"""What is asked about the life of a device: the product's rules hold, and each error seeded into them is found."""

from tests.model import rules
from tests.model.explore import STUCK
from tests.model.life import breaches as b
from tests.model.life.model import Errors, Life
from tests.model.life.world import Budget
from tests.model.rules import Rules
from tests.model.suite import Case

TWO = (2, 1)
"""Attempts of two campaigns for one device."""

HOLDS = [
    Case("a crash and a control change", Life(attempts=(1,), failures=1, budget=Budget(crashes=1, changes=1))),
    Case("a crash and a repeat", Life(attempts=(1,), failures=1, budget=Budget(crashes=1, repeats=1))),
    Case("a device without a subscription", Life(budget=Budget(unheard=1))),
    Case("power is lost, an operator retries", Life(failures=1, budget=Budget(power_cuts=1, retries=1))),
    Case(
        "a cut-off dispatcher goes on",
        Life(attempts=(1,), failures=1, zombie=True, budget=Budget(crashes=1, changes=1)),
    ),
    Case("reports without attempt, one attempt", Life(attempts=(1,), failures=1, bare=True, budget=Budget(repeats=1))),
    Case("two campaigns", Life(attempts=(1, 1), failures=1, exact=True)),
    Case("an operator takes a device out", Life(attempts=(1,), failures=1, budget=Budget(skips=1, changes=1))),
    Case("taken out of one of two campaigns", Life(attempts=(1, 1), failures=1, exact=True, budget=Budget(skips=1))),
]
SEEDED = [
    Case("a result counts for any attempt", Life(rules=Rules(row=rules.any_attempts_result)), b.UNPUBLISHED),
    Case(
        "a result counts for any status",
        Life(attempts=(1,), budget=Budget(crashes=1), rules=Rules(row=rules.result_moves_any_row)),
        b.TAKEN_BACK,
    ),
    Case("a report counts for any attempt", Life(rules=Rules(row=rules.any_attempts_report)), b.OTHER_ATTEMPT),
    Case(
        "FAILED counts while the row waits",
        Life(attempts=(1,), budget=Budget(repeats=1), rules=Rules(row=rules.failed_counts_while_waiting)),
        b.COUNTED_TWICE,
    ),
    Case(
        "a report moves a finished row",
        Life(attempts=(1,), failures=1, beyond_the_end=True, rules=Rules(row=rules.report_reopens)),
        b.FINISHED_CHANGED,
    ),
    Case(
        "a report makes a waiting row active",
        Life(attempts=(1, 1), failures=1, rules=Rules(row=rules.report_makes_active)),
        b.TWO_ACTIVE,
    ),
    Case(
        "a device forgets what it has handled",
        Life(attempts=(1,), budget=Budget(repeats=1), rules=Rules(device=rules.forgets_what_it_handled)),
        b.TWICE,
    ),
    Case(
        "a device at work begins another update",
        Life(attempts=(1, 1), failures=1, rules=Rules(device=rules.starts_at_once)),
        b.TWO_AT_ONCE,
    ),
    Case(
        "a request is sent before its claim commits",
        Life(attempts=(1,), budget=Budget(crashes=1), errors=Errors(sent_before_commit=True)),
        b.SHARED,
    ),
    Case(
        "a report is acknowledged before it is committed",
        Life(attempts=(1,), budget=Budget(crashes=1), errors=Errors(acknowledged_before_commit=True)),
        b.LOST,
    ),
    Case(
        "a retry begins with attempt 1 again",
        Life(attempts=(1,), failures=1, budget=Budget(retries=1), errors=Errors(retry_forgets_the_attempt=True)),
        b.ATTEMPT_BACK,
    ),
    Case(
        "only running campaigns are swept",
        Life(
            attempts=(1,),
            failures=1,
            budget=Budget(changes=1, power_cuts=1),
            errors=Errors(sweeps_only_running=True),
        ),
        STUCK,
    ),
    Case(
        "a device that was taken out is not held for its request",
        Life(attempts=(1, 1), failures=1, exact=True, budget=Budget(skips=1), errors=Errors(excluded_not_held=True)),
        b.TWO_OUT,
    ),
    Case(
        "an aborted campaign is not ticked",
        Life(attempts=(1,), failures=1, budget=Budget(changes=1), errors=Errors(aborted_not_ticked=True)),
        STUCK,
    ),
]
LONG = [
    Case("two attempts: a crash and a control change", Life(budget=Budget(crashes=1, changes=1))),
    Case("two attempts: a crash and a repeat", Life(budget=Budget(crashes=1, repeats=1))),
    Case(
        "two control changes, a cut-off dispatcher",
        Life(attempts=(1,), zombie=True, budget=Budget(crashes=1, changes=2)),
    ),
    Case("three attempts, power is lost", Life(attempts=(3,), failures=3, budget=Budget(power_cuts=1))),
    Case("it says that it installs, and is repeated", Life(installing=True, budget=Budget(repeats=1))),
    Case("power is lost, a retry, a crash", Life(failures=1, budget=Budget(crashes=1, power_cuts=1, retries=1))),
    Case("two campaigns, two attempts", Life(attempts=TWO, failures=1, exact=True)),
    Case("two campaigns, an abort", Life(attempts=(1, 1), failures=1, exact=True, budget=Budget(changes=1))),
    Case("two campaigns, a crash", Life(attempts=(1, 1), failures=1, exact=True, budget=Budget(crashes=1))),
    Case(
        "seeded: SUCCESS of an older attempt ends the row",
        Life(attempts=TWO, failures=1, exact=True, rules=Rules(row=rules.older_success_ends)),
        b.STALE,
    ),
    Case(
        "seeded: a device forgets what it only answered",
        Life(
            attempts=TWO,
            failures=1,
            exact=True,
            budget=Budget(crashes=1),
            rules=Rules(device=rules.forgets_what_it_answered),
        ),
        b.STALE,
    ),
]
