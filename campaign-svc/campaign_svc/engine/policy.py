"""Judgement about numbers, pure: how many devices to release, and whether a firmware is bad enough to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, exp, floor, inf, log, log1p, sqrt


@dataclass(frozen=True, slots=True)
class Limits:
    """How many devices may be in flight (QUEUED to INSTALLING); None: no such limit.

    The ramp grows with what has succeeded, `ramp_start + ramp_factor * succeeded`, and a device that has failed keeps
    one of the first `ramp_start` places: a firmware that breaks every device reaches `ramp_start` of them and then one
    after the other until it is stopped. One of these places is always left, and those that successes have earned are
    never taken, so a campaign that its rule lets go on does not stand still.
    """

    max_in_flight: int | None
    ramp_start: int | None
    ramp_factor: float

    def in_flight(self, succeeded: int, failing: int) -> int | None:
        """The least of the limits that are set; `failing` as in `Outcomes`."""
        given = [limit for limit in (self.max_in_flight, self._ramp(succeeded, failing)) if limit is not None]
        return min(given, default=None)

    def _ramp(self, succeeded: int, failing: int) -> int | None:
        if self.ramp_start is None:
            return None
        return max(1, self.ramp_start - failing) + floor(self.ramp_factor * succeeded)


def releases(*, rate: float, look_ahead: float, queued: int, active: int, limit: int | None) -> int:
    """How many devices to release now, at a rate per second: the look-ahead's worth, within the limit in flight.

    Never negative; where the rate is slower than one per look-ahead, one device still waits in QUEUED.
    """
    room = inf if limit is None else limit - active
    return max(0, int(min(ceil(rate * look_ahead) - queued, room)))


class AbortRule(StrEnum):
    """Which rule stops a campaign."""

    RATIO = "ratio"
    SEQUENTIAL = "sequential"


@dataclass(frozen=True, slots=True)
class AbortPolicy:
    """When to stop: `threshold` and `confidence` are shares; `min_devices` counts only for the ratio rule."""

    rule: AbortRule
    threshold: float
    min_devices: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is known of a campaign's devices.

    `dispatched`: commanded at least once; `failing`: those of them with a failed attempt that have not (yet) ended
    well. Devices still at work are part of `dispatched` and count as not failed.
    """

    succeeded: int
    failed: int
    dispatched: int
    failing: int


def must_abort(policy: AbortPolicy, seen: Outcomes) -> bool:
    """Whether the campaign's rule says stop."""
    if policy.rule is AbortRule.RATIO:
        return _ratio_stops(policy, seen.succeeded, seen.failed)
    return _sequential_stops(policy, seen.dispatched, seen.failing)


def abort_at(policy: AbortPolicy, seen: Outcomes) -> int | None:
    """The failures at which the rule would stop now, all else being as it is; None: no number of them would.

    Counted as the rule counts: `failed` for ratio, `failing` for sequential.
    """
    if policy.rule is AbortRule.SEQUENTIAL:
        return _least(1, seen.dispatched, lambda s: _sequential_stops(policy, seen.dispatched, s))
    if policy.threshold >= 1:
        return None
    guess = floor(policy.threshold * seen.succeeded / (1 - policy.threshold)) + 2
    most = max(guess, policy.min_devices)
    return _least(1, most, lambda failed: _ratio_stops(policy, seen.succeeded, failed))


def _least(low: int, high: int, stops: Callable[[int], bool]) -> int | None:
    """The least number within bounds for which `stops`, which stays true once it is; None if there is none."""
    if high < low or not stops(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if stops(middle) else (middle + 1, high)
    return low


def _ratio_stops(policy: AbortPolicy, succeeded: int, failed: int) -> bool:
    finished = succeeded + failed
    return finished >= max(1, policy.min_devices) and failed / finished > policy.threshold


def _sequential_stops(policy: AbortPolicy, dispatched: int, failing: int) -> bool:
    return log_e(dispatched, failing, policy.threshold) >= -log(1 - policy.confidence)


ALTERNATIVES = 6
_WEIGHTS = [1 / sqrt(i) for i in range(1, ALTERNATIVES + 1)]
_LOG_WEIGHTS = [log(w / sum(_WEIGHTS)) for w in _WEIGHTS]
_LOG_ODDS = [i * log(1.5) for i in range(1, ALTERNATIVES + 1)]
"""The alternatives: 1.5, 1.5², … times the odds of the threshold."""
_LOG_E_MOST = 700.0
"""Above this the e-value does not fit into a float; nothing is decided up there."""


def e_value(dispatched: int, failing: int, threshold: float) -> float:
    """The evidence against "at most `threshold` of the devices ever fail an attempt": stop at 1/(1 - confidence)."""
    return exp(log_e(dispatched, failing, threshold))


def log_e(dispatched: int, failing: int, threshold: float) -> float:
    """The logarithm of the e-value: a mixture of Wald's likelihood ratios over six worse shares.

    While the true share is at most the threshold this is a supermartingale, so by Ville's inequality a good firmware
    is stopped with probability at most 1 - confidence, however often one looks.
    """
    if failing == 0 and threshold <= 0:
        return 0.0
    if threshold <= 0:
        return _LOG_E_MOST
    if threshold >= 1:
        return 0.0
    odds, devices = threshold / (1 - threshold), max(dispatched, failing)
    # In odds, a device that fails is (1.5^i (1 + odds) / (1 + 1.5^i odds)) times as likely under the i-th alternative,
    # and one that does not (1 + odds) / (1 + 1.5^i odds) times: exact however near 0 or 1 the threshold is.
    terms = [
        weight + failing * step + devices * (log1p(odds) - log1p(exp(step) * odds))
        for weight, step in zip(_LOG_WEIGHTS, _LOG_ODDS, strict=True)
    ]
    top = max(terms)
    return min(_LOG_E_MOST, top + log(sum(exp(term - top) for term in terms)))
