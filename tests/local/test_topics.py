"""The topics of the contract on a real Kafka, made once and never altered."""

import os
import sys
from subprocess import run

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pulse.contracts.kafka import REQUESTS, TOPICS, Topic
from pulse.runtime.errors import StartRefused
from pulse.runtime.kafka import topics_once_there
from pulse.runtime.kafka_cluster import Cluster
from pulse_setup.topics import make_topics
from tests.real_parts import Database, Topics

MANY = Topic("setup-test.many", 4, 2, None, (("retention.ms", "60000"),))
ONE = Topic("setup-test.one", 1, 1, 1, (("cleanup.policy", "compact"),))


async def made_by_hand(bootstrap: str, topic: Topic, partitions: int, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic.name, partitions, 1, topic_configs=config)])
    await admin.close()


async def test_topics_are_made_once_and_a_second_run_says_nothing(topics: Topics) -> None:
    said: list[str] = []
    await make_topics(Cluster(topics.bootstrap), {MANY: 4, ONE: 1}, 1, said.append)
    assert said == ["made topic setup-test.many with 4 partitions", "made topic setup-test.one with 1 partitions"]
    await make_topics(Cluster(topics.bootstrap), {MANY: 4, ONE: 1}, 1, said.append)
    assert len(said) == 2
    await topics.delete(MANY.name, ONE.name)


async def test_too_few_partitions_are_reported_and_not_mended(topics: Topics) -> None:
    await made_by_hand(topics.bootstrap, MANY, 3)
    with pytest.raises(StartRefused, match=r"setup-test\.many has 3 partitions instead of 4"):
        await make_topics(Cluster(topics.bootstrap), {MANY: 4}, 1, print)
    await make_topics(Cluster(topics.bootstrap), {MANY: 3}, 1, print)
    await topics.delete(MANY.name)


async def test_more_partitions_than_asked_for_are_fine_where_there_is_no_upper_bound(topics: Topics) -> None:
    await made_by_hand(topics.bootstrap, MANY, 6)
    await make_topics(Cluster(topics.bootstrap), {MANY: 4}, 1, print)
    await topics.delete(MANY.name)


async def test_everything_that_differs_is_reported_in_one_line(topics: Topics) -> None:
    await made_by_hand(topics.bootstrap, MANY, 3)
    await made_by_hand(topics.bootstrap, ONE, 2, **{"cleanup.policy": "delete"})
    with pytest.raises(StartRefused) as refused:
        await make_topics(Cluster(topics.bootstrap), {MANY: 4, ONE: 1}, 1, print)
    assert str(refused.value) == (
        "topic setup-test.many has 3 partitions instead of 4; topic setup-test.one has 2 partitions instead of 1; "
        "topic setup-test.one has cleanup.policy=delete instead of compact"
    )
    await topics.delete(MANY.name, ONE.name)


async def test_fewer_replicas_than_asked_for_are_reported_and_that_one_of_them_may_acknowledge(topics: Topics) -> None:
    await made_by_hand(topics.bootstrap, ONE, 1, **dict(ONE.config))
    with pytest.raises(StartRefused) as refused:
        await make_topics(Cluster(topics.bootstrap), {ONE: 1}, 3, print)
    assert str(refused.value) == (
        "topic setup-test.one has 1 replicas instead of 3; topic setup-test.one has min.insync.replicas=1 instead of 2"
    )
    await topics.delete(ONE.name)


async def test_more_replicas_than_nodes_are_refused_with_kafka_s_reason(topics: Topics) -> None:
    with pytest.raises(StartRefused, match=r"setup-test\.many could not be made: .*replica"):
        await make_topics(Cluster(topics.bootstrap), {MANY: 4}, 3, print)


async def test_the_services_find_what_the_job_has_made(kafka: str) -> None:
    found = await topics_once_there(Cluster(kafka), TOPICS)
    assert found == {topic.name: topic.partitions for topic in TOPICS}


def job(**environment: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "pulse_setup"]
    done = run(command, env=os.environ | environment, capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_job_run_again_changes_nothing_and_ends_with_0(kafka: str, postgres: Database) -> None:
    assert job(POSTGRES_DSN=postgres.dsn, KAFKA_BOOTSTRAP=kafka) == (0, "", "")


def test_the_job_says_in_one_line_what_is_missing() -> None:
    code, _, said = job(KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert code == 2
    assert said == "pulse_setup: settings: POSTGRES_DSN: Field required\n"


def test_the_job_says_in_one_line_which_topic_differs(kafka: str, postgres: Database) -> None:
    code, _, said = job(POSTGRES_DSN=postgres.dsn, KAFKA_BOOTSTRAP=kafka, REQUESTS_PARTITIONS="25")
    assert code == 2
    assert said == f"pulse_setup: topic {REQUESTS.name} has 24 partitions instead of 25\n"
