"""What the monitoring is tested with: promtool, and a stack with a campaign that Prometheus has watched."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from local_stack.mosquitto import find_program
from tests.e2e import stack as stacks
from tests.e2e.campaign import Campaign
from tests.monitoring import rollout
from tests.monitoring.prometheus import Prometheus, watching


@dataclass(frozen=True, slots=True)
class Watched:
    """A Prometheus, the campaign that it watches, and when it began (seconds since 1970)."""

    prometheus: Prometheus
    campaign: Campaign
    since: float


@pytest.fixture(scope="session")
async def promtool() -> str:
    return await find_program("promtool", "prometheus", print)


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """Of a stack of its own, with a canary campaign whose gate waits."""
    since = time.time()
    folder = tmp_path_factory.mktemp("prometheus") / "run"
    async with (
        stacks.running() as stack,
        watching(stack, folder) as prometheus,
        rollout.under_way(stack) as campaign,
    ):
        yield Watched(prometheus, campaign, since)
