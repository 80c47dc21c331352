"""`make pictures`: a run of some minutes on the local stack, and the dashboards as they looked, drawn for the docs."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fleetsim.nature import Behaviour, Failure
from local_stack.layout import ROOT
from tests.e2e import arrange
from tests.e2e import stack as stacks
from tests.e2e.arrange import Site
from tests.e2e.campaign import Campaign
from tests.e2e.stack import Stack
from tests.monitoring.drawing import Series, draw
from tests.monitoring.expressions import dashboards
from tests.monitoring.prometheus import Prometheus, watching

FOLDER = ROOT / "docs" / "pictures" / "monitoring"
DEVICES, BAD_DEVICES = 800, 300
GOOD = Behaviour(fail=0.03, flaky=0.04, download_seconds=(4, 12), install_seconds=(3, 9), failures=(Failure.INSTALL,))
BAD = Behaviour(fail=0.6, download_seconds=(2, 8), install_seconds=(2, 6), failures=(Failure.INSTALL, Failure.CHECKSUM))
RATE = 480
"""Devices per minute."""
BEFORE = 20.0
"""Seconds of rest in the pictures."""
SHOWN = 0.9
"""Share of the devices that have succeeded where the pictures end: the campaign is still live."""
STEP = 2.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """From when to when, in seconds since 1970."""

    start: float
    end: float


async def main() -> None:
    with TemporaryDirectory(prefix="pulse-pictures-") as folder:
        async with stacks.running() as stack, watching(stack, Path(folder) / "prometheus") as prometheus:
            run = await play(stack)
            FOLDER.mkdir(parents=True, exist_ok=True)
            for dashboard in dashboards().values():
                found = {panel["id"]: await lines(prometheus, panel, run) for panel in dashboard["panels"]}
                draw(dashboard, found, FOLDER / f"{dashboard['uid']}.png")
                print(f"drew {dashboard['uid']}")


async def play(stack: Stack) -> Run:
    """A good canary campaign whose dispatcher is killed on the way, and beside it a bad one that its rule stops."""
    start = time.time()
    async with customer(stack, DEVICES, GOOD) as good, customer(stack, BAD_DEVICES, BAD) as bad:
        await asyncio.sleep(BEFORE)
        canary = [{"name": "canary", "count": 80, "soak_seconds": 15, "min_success": 0.8}]
        rollout = await started(good, canary, abort_threshold=0.2)
        async with asyncio.TaskGroup() as group:
            group.create_task(disturb(stack, rollout))
            group.create_task(fail(bad))
            await rollout.until_done(round(DEVICES * SHOWN), 400)
            end = time.time()
            group.create_task(rollout.until_ended(100))
    return Run(start, end)


async def disturb(stack: Stack, rollout: Campaign) -> None:
    """Kills a dispatcher in the midst of the last stage."""
    await rollout.until(lambda c: bool(c["dispatched_devices"] > DEVICES / 2), 300)
    await stack.kill("dispatcher-svc-1")


async def fail(bad: Site) -> None:
    await asyncio.sleep(40)
    stages = [{"name": "canary", "count": 60, "soak_seconds": 30, "min_success": 0.9}]
    campaign = await started(bad, stages, rate=120, abort_threshold=0.25)
    await campaign.until_ended(300)


async def started(site: Site, stages: list[Json], *, rate: int = RATE, **settings: Any) -> Campaign:
    """A canary campaign with the sequential rule, running."""
    more: Json = {
        "rollout_strategy": "canary",
        "stages": stages,
        "abort_rule": "sequential",
        "attempt_timeout_seconds": 90,
    }
    return await site.started(rate=rate, **(more | settings))


@asynccontextmanager
async def customer(stack: Stack, devices: int, behaviour: Behaviour) -> AsyncIterator[Site]:
    """A tenant with a fleet, connected."""
    async with AsyncExitStack() as opened:
        site = await opened.enter_async_context(arrange.opened(stack))
        await opened.enter_async_context(site.fleet(devices, behaviour))
        yield site


async def lines(prometheus: Prometheus, panel: Json, run: Run) -> list[Series]:
    """What the queries of a panel give over the run, named as Grafana names it."""
    found: list[Series] = []
    for target in panel.get("targets", []):
        asked = target["expr"].replace("$__rate_interval", "15s").replace("$campaign", ".+")
        start = run.end if target["instant"] else run.start
        for series in await prometheus.over_time(asked, start, run.end, STEP):
            points = [(float(at), float(value)) for at, value in series["values"] if value not in {"NaN", "+Inf"}]
            if points:
                found.append((named(target["legendFormat"], series["metric"]), points))
    return found


def named(legend: str, labels: dict[str, str]) -> str:
    if legend == "__auto":
        return ", ".join(value for name, value in labels.items() if name != "__name__") or "value"
    for name, value in labels.items():
        legend = legend.replace("{{" + name + "}}", value)
    return re.sub(r"{{\w+}}", "none", legend)


if __name__ == "__main__":
    asyncio.run(main())
