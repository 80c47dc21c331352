"""What a bench run can be told: environment variables come in, checked options go out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PARTS = ("dispatcher", "ingest", "creation", "rate", "abort", "size", "fleet", "idle", "scaling")
"""In the order in which they run."""
DEFAULT_PARTS = PARTS[:-1]
MOST_RUNS = 20


class Refused(Exception):
    """The options contradict each other or mean nothing; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class Options:
    """`parts` in the order in which they run; `runs` of each short measurement; `out` is a folder."""

    parts: tuple[str, ...]
    runs: int
    out: Path


def read(environment: Mapping[str, str]) -> Options:
    """PARTS (names with commas, or `all`), RUNS, OUT. Raises Refused."""
    return Options(_parts(environment.get("PARTS", "")), _runs(environment.get("RUNS", "")), _out(environment))


def _parts(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        return DEFAULT_PARTS
    if "all" in names:
        if len(names) > 1:
            raise Refused("PARTS=all already has every part: name some, or all of them, not both")
        return PARTS
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise Refused(f"PARTS: there is no part {unknown[0]!r}; there are {', '.join(PARTS)}, and all")
    if len(set(names)) < len(names):
        raise Refused("PARTS names a part twice; for more measurements of each say RUNS=")
    return tuple(part for part in PARTS if part in names)


def _runs(text: str) -> int:
    if not text:
        return 3
    if not text.isdecimal() or not 1 <= int(text) <= MOST_RUNS:
        raise Refused(f"RUNS={text} is no number from 1 to {MOST_RUNS}")
    return int(text)


def _out(environment: Mapping[str, str]) -> Path:
    out = Path(environment.get("OUT") or ".run/bench")
    if out.exists() and not out.is_dir():
        raise Refused(f"OUT={out} is a file; the results need a folder")
    return out
