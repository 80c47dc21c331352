"""A report that is not written as agreed: what it must have decides, the rest is put into words or left out."""

import codecs
import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from pulse.contracts.mqtt import Report

EXACT = 2**53
"""Up to here each whole number is one of its own as a floating-point number, too."""

_LOST = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair, or a byte that is not UTF-8: a text cut short, or of another encoding."""
_NUMBER = re.compile(r"\d{1,3}(?:\.\d+)?")


class NoReportError(ValueError):
    """What a report must have is missing, or is not what it must be."""


class Mended(NamedTuple):
    """A report as it should have been, and the names of what was not; `frame` stands for the JSON itself."""

    report: Report
    fields: tuple[str, ...]


def mend(payload: bytes) -> Mended:
    """Reads what the strict decoder refused. Characters that no text can hold count as NUL.

    A version that is no text keeps its words, on a second line: no firmware has such a version.
    Raises NoReportError where `campaign_id` or `attempt` is no number that it could be; that, another ValueError or
    RecursionError where there is no JSON object.
    """
    inner = payload.removeprefix(codecs.BOM_UTF8).strip().removesuffix(b"\0").strip()
    said = json.loads(_LOST.sub("\0", inner.decode("utf-8", "surrogateescape")), strict=False)
    if not isinstance(said, dict):
        raise NoReportError("not a JSON object")
    report = Report(
        campaign_id=_number(said, "campaign_id"),
        status=_words(said.get("status")),
        progress=_progress(said.get("progress")),
        error=_words(said.get("error")),
        error_code=_words(_whole(said.get("error_code"))),
        version=_version(said.get("version")),
        attempt=_number(said, "attempt", least=1),
    )
    changed = [name for name in report.__struct_fields__ if not _is_same(getattr(report, name), said.get(name))]
    return Mended(report, tuple(changed) if changed and inner == payload.strip() else (*changed, "frame"))


def _number(said: Mapping[str, Any], name: str, least: int | None = None) -> int | None:
    """7 for 7, 7.0 and 7e0; None where it is left out. Raises NoReportError for anything else."""
    value = _whole(said.get(name))
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise NoReportError(f"{name} is no whole number")
    if least is not None and value < least:
        raise NoReportError(f"{name} is less than {least}")
    return value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT else value


def _progress(value: object) -> float | None:
    """A percentage, from a text too; None for what is no number."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) else None


def _words(value: object) -> str | None:
    """A text as it is, anything else as the JSON that it was."""
    if value is None:
        return None
    return _LOST.sub("\0", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _version(value: object) -> str | None:
    words = _words(value)
    return words if words is None or isinstance(value, str) else f"\n{words}"


def _is_same(kept: object, said: object) -> bool:
    return type(kept) is type(said) and kept == said
