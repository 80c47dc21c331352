"""A campaign of a thousand devices through two and three replicas of each service, with everything that can happen to a
container in between: nothing is lost, nothing is done twice."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import fleet as fleets
from tests.containers.engine import say
from tests.containers.faults import cut_off, kill_9, paused, start, stop
from tests.containers.figures import Figures
from tests.containers.fleet import Campaign, Fleet
from tests.containers.stack import SERVICES, Stack
from tests.containers.verdict import each_installed_once, nothing_is_lost

DEVICES, RATE = 1000, 600
FAULT_SECONDS = 8
"""Longer than a Kafka session lasts, so that the others take over."""


@pytest.fixture(scope="module")
def fleet(stack: Stack) -> Iterator[Fleet]:
    with fleets.operator(stack) as api:
        yield fleets.connected(stack, api, DEVICES)


@pytest.mark.timeout(900)
def test_a_campaign_survives_all_that_can_happen_to_containers(
    fleet: Fleet, stack: Stack, figures: Figures, tmp_path: Path
) -> None:
    stack.scale(2)
    campaign, since = fleets.started(fleet, rate=RATE), time.monotonic()
    with_two_replicas(stack, campaign)
    figures.note("scale to 3 of each service", stack.scale(3), "s")
    with_three_replicas(stack, campaign)
    ended = campaign.until_completed(300)
    figures.note(f"campaign of {DEVICES}, {RATE} a minute, 12 faults", time.monotonic() - since, "s")
    say(f"completed: {ended['status_breakdown']}")
    nothing_is_lost(fleet, ended, tmp_path)
    each_installed_once(fleet)
    memory(stack, figures)


def with_two_replicas(stack: Stack, campaign: Campaign) -> None:
    campaigns, dispatchers, ingests = (stack.replicas(service) for service in SERVICES[1:])
    campaign.until_done(0.05)
    kill_9(stack, dispatchers[0])
    campaign.until_done(0.12)
    with paused(stack, ingests[1]):
        time.sleep(FAULT_SECONDS)
    campaign.until_done(0.2)
    stop(stack, campaigns[0])
    campaign.until_done(0.27)
    start(stack, campaigns[0])
    with cut_off(stack, dispatchers[1], "data"):
        time.sleep(FAULT_SECONDS)
    campaign.until_done(0.36)
    kill_9(stack, ingests[0])
    kill_9(stack, campaigns[1])
    campaign.until_done(0.42)


def with_three_replicas(stack: Stack, campaign: Campaign) -> None:
    catalogs, campaigns, dispatchers, ingests = (stack.replicas(service) for service in SERVICES)
    assert [len(each) for each in (catalogs, campaigns, dispatchers, ingests)] == [3, 3, 3, 3]
    stop(stack, ingests[2])
    kill_9(stack, catalogs[0])
    campaign.until_done(0.58)
    start(stack, ingests[2])
    with paused(stack, dispatchers[2]):
        time.sleep(FAULT_SECONDS)
    campaign.until_done(0.66)
    with cut_off(stack, ingests[0], "front"):
        time.sleep(FAULT_SECONDS)
    kill_9(stack, campaigns[2])
    [broker] = stack.replicas("mosquitto")
    campaign.until_done(0.76)
    kill_9(stack, broker)
    campaign.until_done(0.85)


def memory(stack: Stack, figures: Figures) -> None:
    """Notes what each part uses after the campaign, replicas one by one."""
    names = [container["Name"] for container in stack.containers() if container["State"] == "running"]
    for line in stack.run("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *names).splitlines():
        name, used, *_ = line.split()
        figures.note(f"memory of {name.removeprefix('pulse-ota-test-')}", megabytes(used), "MB")


def megabytes(text: str) -> float:
    """`35.2MiB` or `1.1GiB`."""
    scale = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}[text[-3:]]
    return float(text[:-3]) * scale * 1.048576
