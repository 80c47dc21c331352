"""`kubectl drain` empties a node and services go on: budgets, controllers and scheduler are real (`make test-k8s`)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.k8s import nodes
from tests.k8s.cluster import NAMESPACE, Cluster
from tests.k8s.installing import apply, install_production, until_ready
from tests.k8s.manifests import Manifests
from tests.k8s.nodes import Nodes
from tests.k8s.witness import NAME, Witness, watching

DRAIN_SECONDS = 110.0
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget"
SERVICE = "dispatcher-svc"
Production = Callable[..., AbstractAsyncContextManager[tuple[Nodes, Witness]]]


@pytest.fixture
def production_runs(cluster: Cluster, deployment: Path, production: Manifests) -> Production:
    """The overlay with two pods of each service; `cordoned` nodes got none of them, and are open again."""

    @asynccontextmanager
    async def run(cordoned: Collection[str] = ()) -> AsyncIterator[tuple[Nodes, Witness]]:
        async with nodes.running(cluster.api) as kubelets, watching(cluster.api, NAMESPACE) as witness:
            for node in cordoned:
                await cluster.kubectl("cordon", node)
            await install_production(cluster, deployment, production, witness)
            for node in cordoned:
                await cluster.kubectl("uncordon", node)
            yield kubelets, witness

    return run


async def drain(cluster: Cluster, node: str) -> str:
    """What kubectl prints, called as docs/operations.md says. Raises CommandFailed unless it ends with code 0."""
    return await cluster.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", timeout=DRAIN_SECONDS)


def places(witness: Witness) -> dict[str, list[str]]:
    """The nodes of each service's pods."""
    found: dict[str, list[str]] = {}
    for pod in witness.pods.values():
        found.setdefault(pod["metadata"]["labels"][NAME], []).append(pod["spec"].get("nodeName", "none"))
    return found


def used(witness: Witness) -> set[str]:
    return {node for where in places(witness).values() for node in where}


def assert_spread(witness: Witness) -> None:
    for service, where in places(witness).items():
        assert len({*where}) == len(where), f"{service} is on {where}"


async def assert_within_budgets(cluster: Cluster, witness: Witness) -> None:
    budgets = await cluster.all("pdb")
    needed = {budget["metadata"]["name"]: budget["status"]["desiredHealthy"] for budget in budgets}
    assert needed.keys() == witness.fewest.keys()
    assert set(needed.values()) == {1}, "of two pods one"
    assert all(witness.fewest[service] >= least for service, least in needed.items()), witness.fewest


async def test_one_node_after_the_other_is_emptied_and_no_service_is_away(
    cluster: Cluster, production_runs: Production
) -> None:
    async with production_runs() as (_, witness):
        for node in nodes.NAMES:
            assert node in used(witness)
            assert_spread(witness)
            await drain(cluster, node)
            assert node not in used(witness)
            await until_ready(cluster, witness, replicas=2)
            await cluster.kubectl("uncordon", node)
        assert_spread(witness)
        await assert_within_budgets(cluster, witness)


async def test_services_that_stand_on_one_node_alone_leave_it_pod_by_pod(
    cluster: Cluster, production_runs: Production
) -> None:
    first, *others = nodes.NAMES
    async with production_runs(cordoned=others) as (_, witness):
        assert used(witness) == {first}
        printed = await drain(cluster, first)
        assert REFUSED in printed
        assert first not in used(witness)
        await until_ready(cluster, witness, replicas=2)
        assert_spread(witness)
        await assert_within_budgets(cluster, witness)


async def test_two_nodes_that_are_drained_at_once_take_turns(cluster: Cluster, production_runs: Production) -> None:
    *both, other = nodes.NAMES
    async with production_runs() as (_, witness):
        async with asyncio.TaskGroup() as group:
            for node in both:
                group.create_task(drain(cluster, node))
        assert used(witness) == {other}
        await until_ready(cluster, witness, replicas=2)
        await assert_within_budgets(cluster, witness)
        for node in both:
            await cluster.kubectl("uncordon", node)
        await cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment")
        await until_rolled(cluster)
        await until_ready(cluster, witness, replicas=2)
        assert_spread(witness)


async def until_rolled(cluster: Cluster) -> None:
    await cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment", "--timeout=100s", timeout=DRAIN_SECONDS)


async def test_a_drain_waits_while_another_pod_of_the_service_is_down(
    cluster: Cluster, production_runs: Production
) -> None:
    async with production_runs() as (kubelets, witness):
        down, last = [name for name, pod in witness.pods.items() if pod["metadata"]["labels"][NAME] == SERVICE]
        node = witness.pods[last]["spec"]["nodeName"]
        kubelets.unwell = lambda pod: pod["metadata"]["name"] == down
        await until_allowed(cluster, 0)
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(drain(cluster, node))
            await asyncio.sleep(15)
            assert not draining.done()
            assert [*(name for name, pod in witness.pods.items() if pod["spec"].get("nodeName") == node)] == [last]
            assert witness.ready()[SERVICE] == 1
            kubelets.unwell = lambda pod: False
        printed = draining.result()
        assert f'error when evicting pods/"{last}" -n "{NAMESPACE}" (will retry after 5s): {REFUSED}' in printed
        await until_ready(cluster, witness, replicas=2)
        await assert_within_budgets(cluster, witness)


async def test_a_service_that_is_down_altogether_holds_up_no_drain(
    cluster: Cluster, production_runs: Production
) -> None:
    """As when Kafka is away: nothing is lost with pods that do not serve."""
    async with production_runs() as (kubelets, witness):
        kubelets.unwell = lambda pod: pod["metadata"]["labels"][NAME] == SERVICE
        await cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready=false", "pod", "-l", f"{NAME}={SERVICE}")
        node = places(witness)[SERVICE][0]
        await drain(cluster, node)
        assert node not in used(witness)


async def until_allowed(cluster: Cluster, disruptions: int) -> None:
    """The budget counts so many pods of the service that may go."""
    holds = f"--for=jsonpath={{.status.disruptionsAllowed}}={disruptions}"
    await cluster.kubectl("-n", NAMESPACE, "wait", holds, f"pdb/{SERVICE}")


async def test_the_only_pods_of_the_small_overlay_go_too_and_come_back_elsewhere(
    cluster: Cluster, deployment: Path
) -> None:
    async with nodes.running(cluster.api), watching(cluster.api, NAMESPACE) as witness:
        await apply(cluster, deployment / "overlays" / "small")
        await until_ready(cluster, witness, replicas=1)
        node = places(witness)[SERVICE][0]
        await drain(cluster, node)
        assert node not in used(witness)
        await until_ready(cluster, witness, replicas=1)
