"""The topics of the contract, made with their partitions, retention and compaction; never by accident."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from pulse.contracts.kafka import Topic, min_insync_replicas
from pulse.runtime.errors import StartRefused
from pulse.runtime.kafka import refused
from pulse.runtime.kafka_cluster import Cluster

WAIT_SECONDS = 60.0
"""How long Kafka may take to answer, and then to show a new topic with all its leaders."""
POLICY, DELETE = "cleanup.policy", "delete"
MIN_INSYNC = "min.insync.replicas"


class Found(NamedTuple):
    """A topic as it is: the number of replicas of each partition, and its configuration in force."""

    replicas: list[int]
    config: Mapping[str, str]


async def make_topics(
    cluster: Cluster, topics: Mapping[Topic, int], replication: int, say: Callable[[str], None]
) -> None:
    """Makes those that are missing and checks all. `topics` gives each its number of partitions.

    Of three replicas two must have a record before it is acknowledged (`min.insync.replicas`), whatever the cluster's
    default is. An existing topic is never altered: more partitions would send keys elsewhere. Raises StartRefused,
    which says what differs, when one has another number of partitions than it may have, another cleanup policy, or
    fewer replicas, or is acknowledged by fewer.
    """
    async with _admin(cluster) as admin:
        for topic, partitions in topics.items():
            if await _create(admin, topic, partitions, replication):
                say(f"made topic {topic.name} with {partitions} partitions")
        found = await _settled(admin, [topic.name for topic in topics])
    wrong = [
        why
        for topic, partitions in topics.items()
        for why in _differences(topic, partitions, replication, found[topic.name])
    ]
    if wrong:
        raise StartRefused("; ".join(wrong))


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = cluster.admin(request_timeout_ms=15_000)
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    try:
        while not await _started(admin):
            reason = await refused(cluster)
            if asyncio.get_running_loop().time() > deadline:
                raise StartRefused(f"Kafka at {cluster.bootstrap} does not answer{f': {reason}' if reason else ''}")
            await asyncio.sleep(0.5)
        yield admin
    finally:
        await admin.close()


async def _started(admin: AIOKafkaAdminClient) -> bool:
    try:
        await admin.start()
    except KafkaConnectionError:
        return False
    return True


async def _create(admin: AIOKafkaAdminClient, topic: Topic, partitions: int, replication: int) -> bool:
    """Whether it was made now. Raises StartRefused when Kafka refuses for another reason than that it is there."""
    config = {**dict(topic.config), MIN_INSYNC: str(min_insync_replicas(replication))}
    answer = await admin.create_topics([NewTopic(topic.name, partitions, replication, topic_configs=config)])
    [(_, code, message)] = answer.topic_errors
    if code == TopicAlreadyExistsError.errno:
        return False
    if code != 0:
        raise StartRefused(f"topic {topic.name} could not be made: {message or for_code(code).__name__}")
    return True


async def _settled(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, Found]:
    """All topics, once they are known with their leaders."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while len(found := await _known(admin, names)) < len(names):
        if asyncio.get_running_loop().time() > deadline:
            raise StartRefused(f"Kafka does not show all of {', '.join(names)} with their leaders")
        await asyncio.sleep(0.1)
    return found


async def _known(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, Found]:
    """Any node is asked, for each question another one: some may not have heard of a new topic yet."""
    described = {topic["topic"]: topic for topic in await admin.describe_topics(names) if _has_leaders(topic)}
    configs = await _configs(admin, names)
    return {
        name: Found([len(partition["replicas"]) for partition in topic["partitions"]], configs[name])
        for name, topic in described.items()
        if name in configs
    }


def _has_leaders(topic: dict[str, Any]) -> bool:
    return topic["error_code"] == 0 and all(partition["error_code"] == 0 for partition in topic["partitions"])


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """What is in force for each topic, set for it or the cluster's default."""
    wanted = {POLICY: None, MIN_INSYNC: None}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in names])
    return {
        name: {key: value for key, value, *_ in entries}
        for answer in answers
        for error_code, _, _, name, entries in answer.resources
        if error_code == 0
    }


def _differences(topic: Topic, partitions: int, replication: int, found: Found) -> list[str]:
    wrong = []
    here = len(found.replicas)
    if here < partitions or (topic.most is not None and here > topic.most):
        wrong.append(f"{here} partitions instead of {partitions}")
    policy = dict(topic.config).get(POLICY, DELETE)
    if found.config[POLICY] != policy:
        wrong.append(f"{POLICY}={found.config[POLICY]} instead of {policy}")
    if min(found.replicas) < replication:
        wrong.append(f"{min(found.replicas)} replicas instead of {replication}")
    least = min_insync_replicas(replication)
    if int(found.config[MIN_INSYNC]) < least:
        wrong.append(f"{MIN_INSYNC}={found.config[MIN_INSYNC]} instead of {least}")
    return [f"topic {topic.name} has {what}" for what in wrong]
