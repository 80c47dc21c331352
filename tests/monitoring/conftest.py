"""What the monitoring is tested with: promtool, and a stack with a campaign that Prometheus has watched."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from local_stack.mosquitto import find_program
from tests.e2e import stack as stacks
from tests.e2e.arrange import Site
from tests.e2e.campaign import Campaign
from tests.e2e.stack import Stack
from tests.monitoring import rollout
from tests.monitoring.otlp import Collector, collecting
from tests.monitoring.prometheus import Prometheus, watching


@dataclass(frozen=True, slots=True)
class Watched:
    """A campaign, what watches it, and when that began (seconds since 1970).

    The tests of `test_when_it_ends.py` come last, and end it.
    """

    prometheus: Prometheus
    collector: Collector
    site: Site
    campaign: Campaign
    since: float


@pytest.fixture(scope="session")
async def promtool() -> str:
    return await find_program("promtool", "prometheus", print)


@pytest.fixture(scope="session")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """Of a stack of its own, with a canary campaign whose gate waits."""
    since = time.time()
    folder = tmp_path_factory.mktemp("prometheus") / "run"
    with collecting() as collector:
        async with (
            traced_stack(collector) as stack,
            watching(stack, folder) as prometheus,
            rollout.under_way(stack) as (site, campaign),
        ):
            yield Watched(prometheus, collector, site, campaign, since)


@asynccontextmanager
async def traced_stack(collector: Collector) -> AsyncIterator[Stack]:
    """Its processes have the environment of the test run as it is when they start."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "500")
        async with stacks.running() as stack:
            yield stack
