"""Files that another process reads: written whole or not at all, and secrets for their owner's eyes only."""

import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replaces `path` in one step; a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).chmod(mode)
    Path(file.name).replace(path)


def secret(path: Path) -> str:
    """The secret kept in `path` (mode 0600); made at random, 32 bytes, where there is none yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        write_atomically(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, for a message; says so when there is nothing in it."""
    if not path.exists():
        return "(no log)"
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200 * lines), os.SEEK_SET)
        text = file.read().decode(errors="replace").rstrip()
    return "\n".join(text.split("\n")[-lines:]) or "(the log is empty)"
