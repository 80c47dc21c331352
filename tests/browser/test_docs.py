"""The API's page in a real Chromium, behind the real gateway with both services: `frontend/e2e/docs.spec.ts`."""

from pathlib import Path

import pytest

from tests.api.world import behind_gateway, world
from tests.browser.conftest import SCREENSHOTS, Play
from tests.real_parts import Database, Topics
from tests.rest import token

pytestmark = pytest.mark.timeout(300)


async def test_the_apis_page_shows_both_services_and_needs_nothing_from_elsewhere(
    postgres: Database, topics: Topics, tmp_path: Path, play: Play
) -> None:
    async with world(postgres, topics, tmp_path) as made, behind_gateway(made, tmp_path) as gateway:
        await play("docs.spec.ts", url=gateway.url, seconds=240, TOKEN=token("viewer"))
    wanted = {"docs-light-1440.png", "docs-dark-390.png"}
    assert wanted <= {file.name for file in SCREENSHOTS.glob("*.png")}
