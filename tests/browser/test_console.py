"""The web console in a real Chromium, on the real stack: the stories of `frontend/e2e`."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import which

import pytest

from fleetsim.nature import Behaviour, Failure
from local_stack import console, packages
from local_stack.child import run
from local_stack.layout import ROOT
from tests.e2e import arrange
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack

SCREENSHOTS = ROOT / ".run" / "screenshots"
STORIES_SECONDS = 240.0
SLOW = arrange.quick(download_seconds=(2, 4))
SITES: dict[str, tuple[int, Behaviour]] = {
    "complete": (40, arrange.quick(fail=0.05, failures=(Failure.INSTALL,))),
    "control": (40, SLOW),
    "canary": (20, arrange.quick()),
    "abort": (30, arrange.broken()),
    "pages": (30, arrange.quick(fail=0.1, failures=(Failure.INSTALL, Failure.CHECKSUM))),
}
"""A tenant for each story, with so many simulated devices of one nature."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with stacks.running() as running:
        yield running


@pytest.fixture(scope="module")
async def node() -> console.Node:
    """Node.js with the console's packages, and the console built."""
    assert await console.build(print), "the console could not be built"
    found = await console.find_node()
    assert found is not None
    await console.install(found, print)
    return found


@pytest.fixture(scope="module")
async def chromium() -> str:
    if which("chromium") is None:
        await packages.install("chromium", "Chromium", print)
    found = which("chromium")
    assert found is not None
    return found


async def test_rules_of_the_console_hold_and_its_code_is_clean(node: console.Node) -> None:
    await node.npm("run", "lint", timeout=120)
    await node.npm("test", timeout=240)


async def test_an_operator_can_do_all_of_it_in_a_browser(stack: Stack, node: console.Node, chromium: str) -> None:
    async with AsyncExitStack() as open_sites:
        tenants: dict[str, str] = {}
        for story, (devices, behaviour) in SITES.items():
            site = await open_sites.enter_async_context(arrange.opened(stack))
            await open_sites.enter_async_context(site.fleet(devices, behaviour))
            await site.firmware()
            tenants[story] = site.tenant
        await _play(stack, node, chromium, tenants)


async def _play(stack: Stack, node: console.Node, chromium: str, tenants: dict[str, str]) -> None:
    environment = {
        "CONSOLE_URL": stack["GATEWAY_URL"],
        "CHROMIUM": chromium,
        "TENANTS": json.dumps(tenants),
        "SCREENSHOTS_DIR": str(SCREENSHOTS),
        "OUTPUT_DIR": str(SCREENSHOTS.parent / "playwright"),
        "PATH": f"{node.folder}{os.pathsep}{os.environ['PATH']}",
    }
    playwright = console.FRONTEND / "node_modules" / ".bin" / "playwright"
    command = (str(playwright), "test", "--config", str(console.FRONTEND / "playwright.config.ts"))
    async with asyncio.timeout(STORIES_SECONDS + 10):
        sys.stdout.write(await run(*command, timeout=STORIES_SECONDS, env=environment))


def test_a_first_load_is_at_most_350_kb_compressed() -> None:
    """Everything that the overview needs, counted as a browser would fetch it."""
    report = json.loads((SCREENSHOTS / "first-load.json").read_text(encoding="utf-8"))
    assert 0 < report["bytes"] <= 350_000, report


def test_every_page_was_seen_in_both_themes_and_widths() -> None:
    pages = ("overview", "campaigns", "campaign", "new-campaign", "firmware", "devices", "groups", "sign-in")
    wanted = {f"{page}-{theme}-{width}.png" for page in pages for theme in ("light", "dark") for width in (1440, 390)}
    assert wanted <= {file.name for file in Path(SCREENSHOTS).glob("*.png")}
