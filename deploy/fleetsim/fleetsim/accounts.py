"""The list of devices to simulate: a JSON object per line."""

from pathlib import Path

import msgspec

from fleetsim.connection import Account


class _Line(msgspec.Struct, frozen=True):
    tenant_id: str
    device_id: str
    password: str
    device_type: str = ""
    version: str = ""


_lines = msgspec.json.Decoder(_Line)


def read_accounts(path: Path) -> list[Account]:
    """The devices of a file; raises ValueError that names the line, or OSError."""
    accounts = []
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = _lines.decode(text)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        accounts.append(Account(line.tenant_id, line.device_id, line.password, line.device_type, line.version))
    if not accounts:
        raise ValueError(f"{path} names no device")
    return accounts
