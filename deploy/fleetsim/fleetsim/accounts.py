"""The devices to simulate: from a file with a JSON object per line, or numbered by a pattern."""

import re
from pathlib import Path

import msgspec

from fleetsim.connection import Account
from pulse.contracts.names import RULE, is_name

_NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")
MOST = 1_000_000


class _Line(msgspec.Struct, frozen=True):
    tenant_id: str
    device_id: str
    password: str = ""
    device_type: str = ""
    version: str = ""


_lines = msgspec.json.Decoder(_Line)


def read_accounts(path: Path, version: str) -> list[Account]:
    """The devices of a file; `version` where a line has none. Raises ValueError that names the line, or OSError."""
    accounts = []
    for number, text in enumerate(path.read_bytes().split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = _lines.decode(text)
            require_names(line.tenant_id, line.device_id)
        except (msgspec.DecodeError, ValueError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        accounts.append(
            Account(line.tenant_id, line.device_id, line.password, line.device_type, line.version or version)
        )
    if not accounts:
        raise ValueError(f"{path} names no device")
    return accounts


def numbered(tenant_id: str, pattern: str, password: str, version: str) -> list[Account]:
    """The devices of a pattern: `d{0..999}` is d0 to d999, `d{000..999}` d000 to d999. All have the same password.

    Raises ValueError for a pattern without one such span, an empty one, or one of more than 1,000,000.
    """
    spans = _NUMBERS.findall(pattern)
    if len(spans) != 1:
        raise ValueError(f"{pattern!r} needs one span of numbers, like d{{0..999}}")
    [(first, last)] = spans
    before, after = _NUMBERS.sub("\x00", pattern).split("\x00")
    numbers = range(int(first), int(last) + 1)
    if not 0 < len(numbers) <= MOST:
        raise ValueError(f"{pattern!r} names {len(numbers):,} devices; 1 to {MOST:,} are possible")
    require_names(tenant_id, f"{before}0{after}")
    width = len(first)
    return [Account(tenant_id, f"{before}{number:0{width}}{after}", password, "", version) for number in numbers]


def require_names(*names: str) -> None:
    """Raises ValueError for what the API would not take as a name."""
    for name in names:
        if not is_name(name):
            raise ValueError(f"{name!r} is no name: {RULE}")
