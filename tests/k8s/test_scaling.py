"""What scales, how far, and by what: partitions and the database's connections are the limits."""

import re

import pytest

from campaign_svc.engine.engine import POOL_SIZE
from campaign_svc.settings import CampaignSettings
from catalog_svc.settings import CatalogSettings
from local_stack.layout import ROOT
from pulse.contracts.kafka import DISPATCHERS, INGESTS, REQUESTS, RESULTS, Topic
from status_ingest_svc.settings import Settings as IngestSettings
from tests.k8s.manifests import SERVICES, Manifests, Resource

WORKERS = {
    "dispatcher-svc": (DISPATCHERS, REQUESTS, "REQUESTS_PARTITIONS"),
    "status-ingest-svc": (INGESTS, RESULTS, "RESULTS_PARTITIONS"),
}
OLD_AND_NEW = 1
"""A roll-out has one pod more than there are replicas."""


def limits(production: Manifests) -> dict[str, tuple[int, int]]:
    """The fewest and the most replicas of everything that scales."""
    found: dict[str, tuple[int, int]] = {}
    for scaler in production.all("HorizontalPodAutoscaler"):
        found[scaler["spec"]["scaleTargetRef"]["name"]] = (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"])
    for scaler in production.all("ScaledObject"):
        spec = scaler["spec"]
        found[spec["scaleTargetRef"]["name"]] = (spec["minReplicaCount"], spec["maxReplicaCount"])
    return found


def trigger(production: Manifests, name: str) -> Resource:
    [found] = [t for t in production.get("ScaledObject", name)["spec"]["triggers"] if t["type"] == "kafka"]
    return dict(found["metadata"])


def test_everything_scales_between_two_and_a_bound(production: Manifests) -> None:
    assert limits(production).keys() == {*SERVICES, "gateway"}
    assert all(2 <= fewest < most for fewest, most in limits(production).values())


@pytest.mark.parametrize("name", WORKERS)
def test_workers_scale_by_the_lag_of_their_own_group_on_their_own_topic(production: Manifests, name: str) -> None:
    group, topic, _ = WORKERS[name]
    metadata = trigger(production, name)
    assert (metadata["consumerGroup"], metadata["topic"]) == (group, topic.name)
    assert metadata["bootstrapServersFromEnv"] in production.environment(production.workload(name))


@pytest.mark.parametrize("name", WORKERS)
def test_no_worker_is_without_a_partition(production: Manifests, name: str) -> None:
    topic: Topic
    _, topic, setting = WORKERS[name]
    partitions = int(production.environment(production.workload("setup"))[setting])
    assert topic.least <= limits(production)[name][1] <= partitions


def test_what_a_healthy_dispatcher_holds_ahead_is_no_reason_for_another(production: Manifests) -> None:
    """A dispatcher that sends 1,000 a second holds LOOK_AHEAD_SECONDS of it."""
    ahead = CampaignSettings.model_fields["look_ahead_seconds"].default
    assert int(trigger(production, "dispatcher-svc")["lagThreshold"]) >= 1_000 * ahead


def test_the_connections_of_all_replicas_are_what_the_operations_page_asks_for(production: Manifests) -> None:
    pools = {
        "catalog-svc": CatalogSettings.model_fields["postgres_pool"].default,
        "campaign-svc": CampaignSettings.model_fields["postgres_pool"].default + POOL_SIZE,
        "status-ingest-svc": IngestSettings.model_fields["postgres_pool"].default,
    }
    most = sum((limits(production)[name][1] + OLD_AND_NEW) * pool for name, pool in pools.items())
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    said = re.search(r"`max_connections` of\s+at\s+least (\d+)", page)
    assert said is not None
    assert most <= int(said[1]) <= most + 40
