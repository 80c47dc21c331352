"""What a rate promises, held against the moments of the commands: pure."""

from collections.abc import Sequence

from campaign_svc.engine.pace import Pace


def achieved(times: Sequence[float], rate: float) -> float:
    """Commands per second from the first to the last, as a share of `rate`. `times` in seconds, in order."""
    return (len(times) - 1) / (times[-1] - times[0]) / rate


def above(times: Sequence[float], pace: Pace) -> float:
    """By how many commands the fullest of all windows was above rate × window + shards × burst; not above: 0 or less.

    Every window that begins with one command and ends with another is looked at.
    """
    rate = pace.bucket_rate * pace.shards
    fullest = 0.0
    least_before = float("inf")
    for number, at in enumerate(times):
        least_before = min(least_before, number - rate * at)
        fullest = max(fullest, number + 1 - rate * at - least_before)
    return fullest - pace.shards * pace.bucket_burst
