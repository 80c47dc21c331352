"""The memories of a fleet in one file, so that devices survive a restart: a line per change, the last one counts."""

import os
from pathlib import Path
from typing import IO

import msgspec

from fleetsim.device import Memory


class _Line(msgspec.Struct, frozen=True):
    device: str
    memory: Memory


_lines = msgspec.json.Decoder(_Line)


class Journal:
    """Open for appending from construction to `close`. A line that a crash has torn is passed over."""

    def __init__(self, path: Path) -> None:
        self.memories = _read(path)
        _rewrite(path, self.memories)
        self._file: IO[bytes] = path.open("ab", buffering=0)

    def keep(self, device: str, memory: Memory) -> None:
        """Write a memory down; it is safe from the death of this process, not from a power cut."""
        self.memories[device] = memory
        self._file.write(msgspec.json.encode(_Line(device, memory)) + b"\n")

    def close(self) -> None:
        self._file.close()


def _read(path: Path) -> dict[str, Memory]:
    memories: dict[str, Memory] = {}
    if not path.exists():
        return memories
    for text in path.read_bytes().split(b"\n"):
        try:
            line = _lines.decode(text)
        except msgspec.DecodeError:
            continue
        memories[line.device] = line.memory
    return memories


def _rewrite(path: Path, memories: dict[str, Memory]) -> None:
    """The file with one line per device, put in place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.writelines(msgspec.json.encode(_Line(*item)) + b"\n" for item in memories.items())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
