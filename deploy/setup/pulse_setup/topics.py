"""The topics of the contract, made with their partitions, retention and compaction; never by accident."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from pulse.contracts.kafka import Topic
from pulse.runtime.errors import StartRefused

WAIT_SECONDS = 60.0
"""How long Kafka may take to answer, and then to show a new topic with all its leaders."""
DELETE = "delete"


async def make_topics(
    bootstrap: str, topics: Mapping[Topic, int], replication: int, say: Callable[[str], None]
) -> None:
    """Makes those that are missing and checks all. `topics` gives each its number of partitions.

    An existing topic is never altered: more partitions would send keys elsewhere. Raises StartRefused, which says what
    differs, when one has another number of partitions than it may have, or another cleanup policy.
    """
    async with _admin(bootstrap) as admin:
        for topic, partitions in topics.items():
            if await _create(admin, topic, partitions, replication):
                say(f"made topic {topic.name} with {partitions} partitions")
        found = await _settled(admin, [topic.name for topic in topics])
        policies = await _cleanup_policies(admin, list(found))
    wrong = [
        why for topic, n in topics.items() for why in _differences(topic, n, found[topic.name], policies[topic.name])
    ]
    if wrong:
        raise StartRefused("; ".join(wrong))


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=15_000)
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    try:
        while not await _started(admin):
            if asyncio.get_running_loop().time() > deadline:
                raise StartRefused(f"Kafka at {bootstrap} does not answer")
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
    answer = await admin.create_topics(
        [NewTopic(topic.name, partitions, replication, topic_configs=dict(topic.config))]
    )
    [(_, code, message)] = answer.topic_errors
    if code == TopicAlreadyExistsError.errno:
        return False
    if code != 0:
        raise StartRefused(f"topic {topic.name} could not be made: {message or for_code(code).__name__}")
    return True


async def _settled(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """The number of partitions of each topic, once all are known with their leaders."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        described = await admin.describe_topics(names)
        if all(_has_leaders(topic) for topic in described):
            return {topic["topic"]: len(topic["partitions"]) for topic in described}
        if asyncio.get_running_loop().time() > deadline:
            raise StartRefused(f"Kafka does not show all of {', '.join(names)} with their leaders")
        await asyncio.sleep(0.1)


def _has_leaders(topic: dict[str, Any]) -> bool:
    return topic["error_code"] == 0 and all(partition["error_code"] == 0 for partition in topic["partitions"])


async def _cleanup_policies(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, str]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": None}) for name in names]
    answers = await admin.describe_configs(resources)
    return {name: configs[0][1] for answer in answers for _, _, _, name, configs in answer.resources}


def _differences(topic: Topic, wanted: int, found: int, policy: str) -> list[str]:
    wrong = []
    if found < wanted or (topic.most is not None and found > topic.most):
        wrong.append(f"topic {topic.name} has {found} partitions instead of {wanted}")
    expected = dict(topic.config).get("cleanup.policy", DELETE)
    if policy != expected:
        wrong.append(f"topic {topic.name} has cleanup.policy={policy} instead of {expected}")
    return wrong
