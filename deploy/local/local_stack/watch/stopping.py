"""How near a campaign is to being stopped by its own rule."""

from dataclasses import dataclass
from math import floor

from local_stack.api import Json

CALM, NEAR = 0.5, 0.8
"""Shares of the way to the line at which the colour changes."""


@dataclass(frozen=True, slots=True)
class Distance:
    """`failures`, as the rule counts them, of the `line` at which it would stop now (None: no number would)."""

    failures: int
    line: int | None
    words: str

    @property
    def share(self) -> float:
        """Of the way to the line, 0 to 1."""
        return 0.0 if self.line is None else min(1.0, self.failures / self.line)

    @property
    def colour(self) -> str:
        return "green" if self.share < CALM else "yellow" if self.share < NEAR else "red"


def distance(campaign: Json) -> Distance:
    """To the line as it is now; it moves with every device."""
    if campaign["abort_rule"] == "sequential":
        failures, (counted, rule) = campaign["failing_devices"], _sequential(campaign)
    else:
        failures, (counted, rule) = campaign["failed"], _ratio(campaign)
    line = campaign["abort_at"]
    return Distance(failures, line, f"{failures:,} {counted}{_line_ahead(campaign, line)} ({rule})")


def _line_ahead(campaign: Json, line: int | None) -> str:
    if campaign["status"] in ("COMPLETED", "ABORTED"):
        return ""
    return "; no number of failures would stop it yet" if line is None else f"; stops at {line:,}"


def _sequential(campaign: Json) -> tuple[str, str]:
    counted = f"of {campaign['dispatched_devices']:,} commanded devices have failed an attempt"
    too_many = f"that more than {100 * campaign['abort_threshold']:.4g}% fail"
    return counted, f"{_sureness(campaign['e_value'])} {too_many}; it stops when {_percent(campaign)} sure"


def _sureness(e_value: float) -> str:
    """The rule's statistic as people say it. It stops at 1/(1 - confidence): so 1 - 1/e is how sure it is by now."""
    sure = floor(100 * (1 - 1 / e_value) + 1e-9) if e_value > 1 else 0
    return f"{sure}% sure" if sure else "no sign yet"


def _percent(campaign: Json) -> str:
    return f"{100 * campaign['abort_confidence']:.4g}%"


def _ratio(campaign: Json) -> tuple[str, str]:
    finished = campaign["succeeded"] + campaign["failed"]
    rule = f"more than {100 * campaign['abort_threshold']:.4g}% of at least {campaign['abort_min_devices']:,}"
    return f"of {finished:,} finished devices have failed", rule
