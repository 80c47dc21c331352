"""The web console in a real Chromium, on the real stack: the stories and pages of `frontend/e2e`."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from fleetsim.nature import Behaviour, Failure
from local_stack import console
from tests.browser.conftest import SCREENSHOTS, Play
from tests.e2e import arrange
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack

SITES: dict[str, tuple[int, Behaviour]] = {
    "complete": (40, arrange.quick(fail=0.05, failures=(Failure.INSTALL,))),
    "control": (40, arrange.quick(download_seconds=(2, 4))),
    "canary": (20, arrange.quick()),
    "abort": (30, arrange.broken()),
    "pages": (30, arrange.quick(fail=0.1, failures=(Failure.INSTALL, Failure.CHECKSUM))),
}
"""A tenant for each story, with so many simulated devices of one nature."""
PAGES = (
    "overview",
    "campaigns",
    "campaign",
    "new-campaign",
    "firmware",
    "devices",
    "device",
    "groups",
    "group",
    "sign-in",
)

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with stacks.running() as running:
        yield running


@pytest.fixture(scope="module")
async def tenants(stack: Stack) -> AsyncIterator[str]:
    """The tenants' names by story, as JSON."""
    async with AsyncExitStack() as open_sites:
        names: dict[str, str] = {}
        for story, (devices, behaviour) in SITES.items():
            site = await open_sites.enter_async_context(arrange.opened(stack))
            await open_sites.enter_async_context(site.fleet(devices, behaviour))
            await site.firmware()
            names[story] = site.tenant
        yield json.dumps(names)


async def test_rules_of_the_console_hold_and_its_code_is_clean(node: console.Node) -> None:
    await node.npm("run", "lint", timeout=120)
    await node.npm("test", timeout=240)


async def test_an_operator_can_do_all_of_it_in_a_browser(stack: Stack, tenants: str, play: Play) -> None:
    await play("stories.spec.ts", url=stack["GATEWAY_URL"], seconds=400, TENANTS=tenants)


async def test_every_page_is_accessible_and_seen_in_both_themes_and_widths(
    stack: Stack, tenants: str, play: Play
) -> None:
    await play("pages.spec.ts", url=stack["GATEWAY_URL"], seconds=480, TENANTS=tenants)
    wanted = {f"{page}-{theme}-{width}.png" for page in PAGES for theme in ("light", "dark") for width in (1440, 390)}
    assert wanted <= {file.name for file in SCREENSHOTS.glob("*.png")}
