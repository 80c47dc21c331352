"""The history of a fleet in a file, a JSON line for each thing that a device received or sent, in order."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from fleetsim.connection import Account
from fleetsim.history import What

BUFFER_BYTES = 1 << 18
_encoder = msgspec.json.Encoder()


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """`at` in seconds since 1970, `monotonic` in seconds of this machine's steady clock.

    `payload` is the text on the wire, or `payload_base64` when that is no UTF-8. `reason_code`: the PUBACK's, of
    something sent.
    """

    at: float
    monotonic: float
    tenant_id: str
    device_id: str
    what: What
    payload: str | None = None
    payload_base64: bytes | None = None
    reason_code: int | None = None


_lines = msgspec.json.Decoder(Line)


class HistoryLostError(Exception):
    """The history cannot be written any more: a fleet without it would be worth nothing to who asked for it."""


class Recorder:
    """Appends to a file. What is written is in the file after `flush`; nothing is kept in memory but one buffer.

    Methods raise HistoryLostError when the file takes no more.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file: IO[bytes] = path.open("ab", buffering=BUFFER_BYTES)

    def write(self, account: Account, what: What, payload: bytes, reason_code: int | None) -> None:
        text, raw = _readable(payload)
        who = account.tenant_id, account.device_id
        line = Line(time.time(), time.monotonic(), *who, what, text, raw, reason_code)
        with self._guarded():
            self._file.write(_encoder.encode(line) + b"\n")

    def flush(self) -> None:
        with self._guarded():
            self._file.flush()

    def close(self) -> None:
        with self._guarded():
            self._file.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HistoryLostError(f"{self._path}: {error.strerror}") from error


def _readable(payload: bytes) -> tuple[str | None, bytes | None]:
    try:
        return payload.decode() or None, None
    except UnicodeDecodeError:
        return None, payload


def read_line(text: bytes) -> Line:
    """A line of a history. Raises msgspec.DecodeError, also for one that a crash has torn."""
    return _lines.decode(text)
