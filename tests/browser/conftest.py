"""What the browser tests need on the machine: Node.js with the console's packages, the built console, Chromium."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from shutil import which

import pytest

from local_stack import console, packages
from local_stack.child import run
from local_stack.layout import ROOT

SCREENSHOTS = ROOT / ".run" / "screenshots"
Play = Callable[..., Awaitable[None]]


@pytest.fixture(scope="session")
async def node() -> console.Node:
    """Node.js with the console's packages, and the console built."""
    assert await console.build(print), "the console could not be built"
    found = await console.find_node()
    assert found is not None
    await console.install(found, print)
    return found


@pytest.fixture(scope="session")
async def chromium() -> str:
    if which("chromium") is None:
        await packages.install("chromium", "Chromium", print)
    found = which("chromium")
    assert found is not None
    return found


@pytest.fixture
async def play(node: console.Node, chromium: str) -> Play:
    """Plays the stories of some files of `frontend/e2e` before a gateway."""

    async def go(*files: str, url: str, seconds: float, **environment: str) -> None:
        known = {
            "CONSOLE_URL": url,
            "CHROMIUM": chromium,
            "SCREENSHOTS_DIR": str(SCREENSHOTS),
            "OUTPUT_DIR": str(SCREENSHOTS.parent / "playwright" / Path(files[0]).stem),
            "PATH": f"{node.folder}{os.pathsep}{os.environ['PATH']}",
        }
        playwright = console.FRONTEND / "node_modules" / ".bin" / "playwright"
        config = console.FRONTEND / "playwright.config.ts"
        command = (str(playwright), "test", "--config", str(config), *files)
        print(await run(*command, timeout=seconds, env=known | environment))

    return go
