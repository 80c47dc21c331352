"""Kafka on three nodes with three copies: one is stopped, killed, hung or drained in mid-campaign; two are killed."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from aiokafka.admin import NewTopic

from fleetsim.fleet import Fleet
from local_stack.stack_env import variable
from pulse.contracts.kafka import (
    CONTROL,
    DEVICE_STATUS,
    QUARANTINE,
    REQUESTS,
    RESULTS,
    DeviceStatusChanged,
    DispatchRequest,
    DispatchResult,
    Quarantined,
    Topic,
    quarantined,
)
from pulse.contracts.status import Status
from pulse.runtime.errors import StartRefused
from pulse.runtime.kafka import producer, send
from pulse.runtime.kafka_cluster import Cluster
from pulse_setup.topics import make_topics
from tests.containers.operations_page import shell_blocks
from tests.e2e import guarantees
from tests.e2e import stack as stacks
from tests.e2e.arrange import NEW, Site
from tests.e2e.campaign import Campaign
from tests.e2e.histories import commands
from tests.e2e.kafka_nodes import Nodes
from tests.e2e.kafka_tools import Shell
from tests.e2e.stack import Stack
from tests.e2e.topics import content

RATE = 20
"""Devices a second; so a command comes every 0.05 s."""
SLACK_SECONDS = 10.0
"""How much longer than Kafka itself commands may be silent; 0 to 1 on a quiet machine, 7 with a load of 8."""
HANG_SECONDS = 12.0
"""A node that hangs is given up after 10 s, since that is how long a member of a group may wait for the others."""
HOLD_SECONDS = 4.0
"""A dispatcher holds when no commit has been answered for half its session; and a command may be on its way."""
PATIENCE_SECONDS = 8.0
ATTEMPT_SECONDS = 60
"""No device may be blamed here, on a busy machine neither."""
NUMBERS = (1, 2, 3)
IN_SYNC, AWAY, BACK = shell_blocks("Take a node of Kafka away")


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """Instead of the one that all other tests share."""
    async with stacks.running(kafkas=len(NUMBERS)) as running:
        yield running


@pytest.fixture
async def nodes(stack: Stack) -> Nodes:
    made = Nodes(stack["KAFKA_BOOTSTRAP"])
    await made.until_in_sync()
    return made


@pytest.fixture
async def same_processes(stack: Stack) -> AsyncIterator[None]:
    """No process of a service may end, whatever Kafka does."""
    before = await _services(stack)
    yield
    assert await _services(stack) == before


async def _services(stack: Stack) -> dict[str, int | None]:
    return {name: pid for name, (_, pid) in (await stack.states()).items() if "-svc-" in name}


async def test_a_topic_that_one_node_may_acknowledge_is_refused_by_the_set_up(nodes: Nodes) -> None:
    weak = NewTopic("nodes-test.weak", 1, 3, topic_configs={"min.insync.replicas": "1"})
    await nodes.asked(lambda admin: admin.create_topics([weak]))
    with pytest.raises(StartRefused, match=r"nodes-test\.weak has min\.insync\.replicas=1 instead of 2"):
        await make_topics(Cluster(nodes.bootstrap), {Topic(weak.name, 1, 1, 1, ()): 1}, len(NUMBERS), print)


@pytest.mark.usefixtures("same_processes")
@pytest.mark.parametrize(("how", "devices"), [(signal.SIGTERM, 140), (signal.SIGKILL, 200)], ids=["stopped", "killed"])
async def test_a_campaign_goes_on_while_a_node_is(site: Site, nodes: Nodes, how: signal.Signals, devices: int) -> None:
    async with site.fleet(devices) as fleet:
        campaign = await site.started(rate=RATE * 60, attempt_timeout_seconds=ATTEMPT_SECONDS)
        await campaign.until_done(15)
        victim = await nodes.leader(CONTROL.name)
        gone = Event(f"{how.name} for node {victim}, which leads the control topic")
        site.stack.signal(how, nodes.part(victim))
        await nodes.until_led_by_another(victim, CONTROL.name)
        gone.kafka_goes_on()
        await asyncio.sleep(1)
        back = Event(f"node {victim} starts again")
        await site.stack.restart(nodes.part(victim))
        await nodes.until_in_sync()
        back.over()
        await all_is_well(site, campaign, fleet, all_told=how is signal.SIGTERM)
    gone.check(fleet)
    back.check(fleet)


@pytest.mark.usefixtures("same_processes")
async def test_a_campaign_goes_on_without_a_node_that_hangs(site: Site, nodes: Nodes) -> None:
    async with site.fleet(180) as fleet:
        campaign = await site.started(rate=RATE * 60, attempt_timeout_seconds=ATTEMPT_SECONDS)
        done = (await campaign.until_done(15))["succeeded"]
        victim = await nodes.leader(CONTROL.name)
        hung = Event(f"SIGSTOP for node {victim}, which leads the control topic", HANG_SECONDS)
        site.stack.signal(signal.SIGSTOP, nodes.part(victim))
        try:
            await nodes.besides(victim).until_led_by_another(victim, CONTROL.name)
            hung.kafka_goes_on()
            await campaign.until_done(done + 60, HANG_SECONDS + SLACK_SECONDS + 10)
        finally:
            site.stack.signal(signal.SIGCONT, nodes.part(victim))
        await nodes.until_in_sync()
        await all_is_well(site, campaign, fleet)
    hung.check(fleet)


@pytest.mark.usefixtures("same_processes")
async def test_a_campaign_goes_on_while_a_node_s_partitions_are_moved_away_and_back_as_the_page_says(
    site: Site, nodes: Nodes, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, nodes.bootstrap)
    await shell.prepare()
    async with site.fleet(280) as fleet:
        campaign = await site.started(rate=RATE * 60, attempt_timeout_seconds=ATTEMPT_SECONDS)
        await campaign.until_done(15)
        victim = await nodes.leader(CONTROL.name)
        away = Event(f"everything is moved away from node {victim}")
        await shell.typed(AWAY, NODE=str(victim))
        assert not [where for where, (on, _) in (await nodes.replicas()).items() if victim in on]
        away.over()
        back = Event("it is moved back")
        await shell.typed(BACK + IN_SYNC)
        assert {tuple(sorted(on)) for on, _ in (await nodes.replicas()).values()} == {NUMBERS}
        back.over()
        await all_is_well(site, campaign, fleet, all_told=True)
    away.check(fleet)
    back.check(fleet)


@pytest.mark.usefixtures("same_processes")
async def test_with_two_of_three_nodes_down_nothing_is_acknowledged_and_all_goes_on_when_one_is_back(
    site: Site, nodes: Nodes
) -> None:
    survivor = await nodes.leader(CONTROL.name)  # so dispatchers can still ask how far the topic goes
    first, second = (nodes.part(number) for number in NUMBERS if number != survivor)
    async with site.fleet(140) as fleet, producer(Cluster(nodes.bootstrap)) as kafka:
        campaign = await site.started(rate=RATE * 60, attempt_timeout_seconds=ATTEMPT_SECONDS)
        await campaign.until_done(15)
        outage = Event("two of three nodes are killed")
        await site.stack.kill(first, second)
        sources = [f"nodes-test/{number}" for number in range(20)]
        records = [quarantined(source, "unreadable", "a test", b"") for source in sources]
        sent = [await send(kafka, QUARANTINE, record, record.key) for record in records]
        await campaign.unannounced("pause")
        await asyncio.sleep(HOLD_SECONDS)
        assert not [future for future in sent if future.done()], "one node alone has acknowledged"
        assert not [came for came in commands(fleet) if came.at > outage.at + HOLD_SECONDS], "sent without a majority"
        await site.stack.restart(first)
        await asyncio.wait_for(asyncio.gather(*sent), 30)
        await campaign.until(lambda c: c["status_breakdown"]["QUEUED"] == 0, 40)
        await guarantees.hold(site)
        await campaign.start()
        await site.stack.restart(second)
        await all_is_well(site, campaign, fleet)
    kept = await content(nodes.bootstrap, QUARANTINE, Quarantined)
    assert [record.source for record in kept if record.source in sources] == sources, "lost, repeated or out of order"


async def test_services_that_start_without_a_majority_wait_for_it(stack: Stack, nodes: Nodes) -> None:
    survivor = await nodes.leader(CONTROL.name)
    down = [nodes.part(number) for number in NUMBERS if number != survivor]
    await stack.kill(*down)
    starting = ["campaign-svc-1", "dispatcher-svc-1", "status-ingest-svc-1"]
    await stack.kill(*starting)
    for name in starting:
        await _until_alive(stack, name)
    begun = await _services(stack)
    await asyncio.sleep(PATIENCE_SECONDS)
    for name in starting:
        await _until_alive(stack, name)
    for node in down:
        await stack.restart(node)
    await stack.until_back(*starting)
    assert await _services(stack) == begun, "one ended, and was started again"


async def _until_alive(stack: Stack, name: str) -> None:
    url = stack[f"{variable(name)}_METRICS_URL"].removesuffix("/metrics")
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        while True:
            with suppress(httpx.TransportError):
                assert (await http.get("/healthz")).status_code == httpx.codes.OK
                return
            await asyncio.sleep(0.1)


@dataclass(slots=True)
class Event:
    """Something is done to Kafka at `at`; `more`: how much longer than Kafka itself commands may be silent, seconds."""

    what: str
    more: float = 0.0
    at: float = field(default_factory=time.time)
    end: float = 0.0
    kafka: float = 0.0

    def over(self) -> None:
        self.end = time.time()

    def kafka_goes_on(self) -> None:
        """Another node leads; what comes of the event may take a little longer."""
        self.kafka = time.time() - self.at
        self.end = time.time() + self.more + SLACK_SECONDS

    def check(self, fleet: Fleet) -> None:
        """Commands were not silent for much longer than Kafka itself."""
        times = [came.at for came in commands(fleet)]
        silent = max((b - a for a, b in pairwise(times) if b > self.at and a < self.end), default=0.0)
        print(f"{self.what}: another node leads after {self.kafka:.2f} s, commands silent for {silent:.2f} s")
        assert silent < self.kafka + self.more + SLACK_SECONDS


async def all_is_well(site: Site, campaign: Campaign, fleet: Fleet, *, all_told: bool = False) -> None:
    """It completes, no device is blamed, all that must hold holds, and no message is lost.

    `all_told`: not even a change of status; after ten seconds without Kafka some may be missing, and are counted.
    """
    end = await campaign.until_ended(60)
    assert (end["status"], end["succeeded"]) == ("COMPLETED", len(fleet))
    assert {agent.memory.version for agent in fleet} == {NEW}
    rows = await site.watch.rows()
    print(f"devices by number of attempts: {dict(Counter(row['attempt'] for row in rows))}")
    assert not [row for row in rows if row["failures"]], "a device was blamed for it"
    await guarantees.hold(site)
    await _no_message_is_lost(site.stack["KAFKA_BOOTSTRAP"], campaign, all_told)


async def _no_message_is_lost(bootstrap: str, campaign: Campaign, all_told: bool) -> None:
    """Each request has a result, and each device its last change of status at most once."""
    requests = await content(bootstrap, REQUESTS, DispatchRequest)
    results = await content(bootstrap, RESULTS, DispatchResult)
    asked = {(request.device_id, request.attempt) for request in requests if request.campaign_id == campaign.id}
    assert asked == {(result.device_id, result.attempt) for result in results if result.campaign_id == campaign.id}
    changes = await content(bootstrap, DEVICE_STATUS, DeviceStatusChanged)
    told = [c.device_id for c in changes if c.campaign_id == campaign.id and c.to_status is Status.SUCCESS]
    devices = {device_id for device_id, _ in asked}
    assert len(told) == len(set(told))
    assert devices == set(told) or (not all_told and devices > set(told))
