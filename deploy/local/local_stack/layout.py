"""Where things are: the checkout's own files, and the cache that checkouts share."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"


def cache_dir() -> Path:
    """`~/.cache/pulse-ota`, or below XDG_CACHE_HOME where that is set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pulse-ota"
