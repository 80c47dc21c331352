"""Chance without memory: the same words always draw the same numbers, whatever else is drawn, and when."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from math import exp
from statistics import NormalDist
from struct import Struct

_EIGHT = Struct("<8Q")
_NORMAL = NormalDist()
_RAREST = 1e-4
_DIGITS = re.compile(r"\d+(\.\d*)?")
_UNITS = {"k": 1e3, "M": 1e6, "G": 1e9}


def draws(*words: object) -> tuple[float, ...]:
    """Eight numbers, each at least 0 and below 1."""
    digest = blake2b("/".join(map(str, words)).encode(), digest_size=64).digest()
    return tuple((number >> 11) * 2.0**-53 for number in _EIGHT.unpack(digest))


Span = tuple[float, float]
"""Least and most, all between equally likely."""


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Most values near `median`, a long tail above: about one in six is greater than `median` · e^`sigma`."""

    median: float
    sigma: float


Spread = Span | LogNormal


def value(spread: Spread, draw: float) -> float:
    """The value at a draw from 0 to 1. A tail ends where one in ten thousand would lie beyond."""
    if isinstance(spread, LogNormal):
        return spread.median * exp(spread.sigma * _NORMAL.inv_cdf(min(max(draw, _RAREST), 1 - _RAREST)))
    least, most = spread
    return least + (most - least) * draw


def is_spread(spread: Spread) -> bool:
    """Whether nothing in it is below 0 or the wrong way round."""
    if isinstance(spread, LogNormal):
        return spread.median >= 0 and 0 <= spread.sigma <= 5
    return 0 <= spread[0] <= spread[1]


def read_spread(text: str) -> Spread:
    """`2`, `1..3` (evenly between) or `20~0.5` (log-normal: median and sigma), with k, M or G for thousands.

    Raises ValueError for anything else.
    """
    median, tilde, sigma = text.partition("~")
    if tilde:
        return LogNormal(_number(median), _number(sigma))
    least, dots, most = text.partition("..")
    return _number(least), _number(most if dots else least)


def _number(text: str) -> float:
    unit = _UNITS.get(text[-1:], 1.0)
    digits = text[:-1] if unit != 1.0 else text
    if not _DIGITS.fullmatch(digits):
        raise ValueError(f"{text!r} is not a number, a span like 1..3 or a log-normal like 20~0.5")
    return float(digits) * unit
