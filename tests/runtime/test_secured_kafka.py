"""Every client of Kafka comes in by each protocol and mechanism, and a refusal is one line at the start."""

import ast
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic
from structlog.testing import capture_logs

from pulse.contracts.kafka import DISPATCHERS, QUARANTINE, TOPICS
from pulse.runtime import kafka_probe
from pulse.runtime.errors import StartRefused, Unanswered
from pulse.runtime.kafka import producer, quarantine, topics_once_there
from pulse.runtime.kafka_cluster import Cluster
from pulse.runtime.kafka_settings import KafkaSettings
from pulse.runtime.predecessor import Member, has_gone
from pulse.runtime.settings import load
from pulse_setup.topics import make_topics
from tests import secured_kafka
from tests.certificates import Authority
from tests.runtime.token_endpoint import TokenEndpoint
from tests.secured_kafka import LISTENERS, SCRAM, SHORT_SESSION_MS, STRANGER, USER, SecuredKafka

ROOT = Path(__file__).parents[2]
PASSWORDS = ("PLAIN", *SCRAM)
WAYS = [(listener, mechanism) for listener in ("CLEAR", "SEALED") for mechanism in PASSWORDS]


@pytest.fixture(scope="module")
async def secured(parts_dir: Path) -> AsyncIterator[SecuredKafka]:
    """With the topics of the contract."""
    async with secured_kafka.running(parts_dir / "secured-kafka") as (node, _):
        await make_topics(Cluster(node.plain.bootstrap), {topic: topic.least for topic in TOPICS}, 1, print)
        yield node


Told = Callable[[dict[str, str]], Cluster]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The cluster as a process with this environment reaches it."""

    def read(environment: dict[str, str]) -> Cluster:
        for name in [name for name in os.environ if name.startswith("KAFKA_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load(KafkaSettings).kafka

    return read


def with_token(secured: SecuredKafka, listener: str, file: Path, token: str) -> dict[str, str]:
    file.write_text(token + "\n")
    access = secured.access(listener, "OAUTHBEARER") | {"KAFKA_OAUTH_TOKEN_FILE": str(file)}
    return {name: value for name, value in access.items() if name not in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")}


async def works(cluster: Cluster) -> None:
    """A message that one client sends reaches a member of a group, and an admin makes a topic and drops it."""
    async with producer(cluster) as sender:
        payload = uuid4().bytes
        await quarantine(sender, "a test", "unreadable", "", payload)
    consumer = cluster.consumer(group_id=uuid4().hex, auto_offset_reset="earliest", enable_auto_commit=False)
    consumer.subscribe([QUARANTINE.name])
    await consumer.start()
    admin = cluster.admin()
    try:
        await admin.start()
        await admin.create_topics([NewTopic(name := uuid4().hex, 1, 1)])
        await admin.delete_topics([name])
        assert await arrives(consumer)
        await consumer.commit()
    finally:
        await consumer.stop()
        await admin.close()


async def arrives(consumer: AIOKafkaConsumer) -> bool:
    async with asyncio.timeout(20):
        return bool((await consumer.getone()).value)


async def refusal(cluster: Cluster) -> str:
    """The line by which a service does not start."""
    with pytest.raises(StartRefused) as refused:
        async with asyncio.timeout(10):
            await topics_once_there(cluster, [QUARANTINE])
    return str(refused.value)


@pytest.mark.parametrize(("listener", "mechanism"), WAYS)
async def test_all_clients_come_in_by_a_password(
    secured: SecuredKafka, told: Told, listener: str, mechanism: str
) -> None:
    await works(told(secured.access(listener, mechanism)))


@pytest.mark.parametrize("listener", ["CLEAR", "SEALED"])
async def test_all_clients_come_in_by_a_token(secured: SecuredKafka, told: Told, tmp_path: Path, listener: str) -> None:
    await works(told(with_token(secured, listener, tmp_path / "token", secured.token())))


def with_endpoint(secured: SecuredKafka, endpoint: TokenEndpoint) -> dict[str, str]:
    access = secured.access("SEALED", "OAUTHBEARER") | endpoint.settings
    return {name: value for name, value in access.items() if name not in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")}


async def test_all_clients_come_in_by_an_identity_provider_s_token(secured: SecuredKafka, told: Told) -> None:
    endpoint = TokenEndpoint(lambda: ("200 OK", {"access_token": secured.token(), "expires_in": 600}))
    async with endpoint.serving():
        await works(told(with_endpoint(secured, endpoint)))
    assert len(endpoint.forms) == 1


async def test_an_identity_provider_that_refuses_ends_the_start_and_one_that_is_away_does_not(
    secured: SecuredKafka, told: Told
) -> None:
    endpoint = TokenEndpoint(lambda: ("400 Bad Request", {"error": "invalid_scope"}))
    async with endpoint.serving():
        line = await refusal(told(with_endpoint(secured, endpoint)))
    assert f"the token endpoint {endpoint.url} refuses client pulse svc: 400 invalid_scope" in line
    with capture_logs() as logs, pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await topics_once_there(told(with_endpoint(secured, endpoint)), [QUARANTINE])
    assert "does not answer" in logs[0]["reason"]


async def test_all_clients_come_in_by_a_certificate(secured: SecuredKafka, told: Told) -> None:
    await works(told(secured.with_certificate(secured.authority.client(USER))))


@pytest.mark.parametrize(("listener", "mechanism"), WAYS)
@pytest.mark.parametrize("wrong", ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"])
async def test_a_wrong_password_or_user_is_a_refused_start(
    secured: SecuredKafka, told: Told, listener: str, mechanism: str, wrong: str
) -> None:
    line = await refusal(told(secured.access(listener, mechanism) | {wrong: "nobody-s"}))
    user = "nobody-s" if wrong == "KAFKA_SASL_USERNAME" else USER
    assert line.startswith(f"Kafka refuses: {secured.bootstrap(listener)}: it refuses user '{user}' with {mechanism}: ")
    assert secured.password not in line


@pytest.mark.parametrize("listener", ["CLEAR", "SEALED"])
async def test_a_token_of_another_audience_or_out_of_time_is_a_refused_start(
    secured: SecuredKafka, told: Told, tmp_path: Path, listener: str
) -> None:
    for token in (secured.token(audience="another"), secured.token(seconds=-600)):
        line = await refusal(told(with_token(secured, listener, tmp_path / "token", token)))
        assert line.startswith(f"Kafka refuses: {secured.bootstrap(listener)}: it refuses the token with OAUTHBEARER")
        assert token not in line


async def test_a_foreign_certificate_or_none_is_a_refused_start(
    secured: SecuredKafka, told: Told, tmp_path: Path
) -> None:
    foreign = secured.with_certificate(Authority(tmp_path, "somebody else").client(USER))
    without = {name: value for name, value in foreign.items() if name not in ("KAFKA_CERT_FILE", "KAFKA_KEY_FILE")}
    for access in (foreign, without):
        line = await refusal(told(access))
        assert line.startswith(f"Kafka refuses: {secured.bootstrap('MUTUAL')}: it ")
        assert "KAFKA_CERT_FILE" in line


async def test_a_certificate_that_is_not_trusted_or_of_another_host_is_a_refused_start(
    secured: SecuredKafka, told: Told, tmp_path: Path
) -> None:
    another = {"KAFKA_CA_FILE": str(Authority(tmp_path).file)}
    elsewhere = {"KAFKA_BOOTSTRAP": secured.bootstrap("SEALED").replace("127.0.0.1", "localhost")}
    for wrong, why in ((another, "unable to get local issuer certificate"), (elsewhere, "Hostname mismatch")):
        line = await refusal(told(secured.access("SEALED") | wrong))
        assert "its certificate is not trusted: " in line
        assert why in line
        assert "KAFKA_CA_FILE" in line


@pytest.mark.parametrize(
    ("speaks", "listener", "why"),
    [
        ("PLAINTEXT", "MUTUAL", "it speaks TLS, and KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ("PLAINTEXT", "CLEAR", "it asks for SASL (PLAIN, "),
        ("PLAINTEXT", "SEALED", "it speaks TLS"),
        ("SSL", "SEALED", "it asks for SASL (PLAIN, "),
        ("SSL", "PLAINTEXT", "it does not speak TLS at this port, and KAFKA_SECURITY_PROTOCOL is SSL"),
        ("SASL_PLAINTEXT", "PLAINTEXT", "it takes no SASL at this port"),
        ("SASL_PLAINTEXT", "SEALED", "it speaks TLS"),
        ("SASL_SSL", "CLEAR", "it does not speak TLS at this port"),
        ("SASL_SSL", "PLAINTEXT", "it does not speak TLS at this port"),
    ],
)
async def test_another_protocol_than_the_listener_s_is_a_refused_start(
    secured: SecuredKafka, told: Told, speaks: str, listener: str, why: str
) -> None:
    access = secured.access("SEALED" if speaks.endswith("SSL") else "CLEAR")
    if not speaks.startswith("SASL"):
        access = {name: value for name, value in access.items() if "SASL" not in name}
    port = secured.plain.bootstrap if listener == "PLAINTEXT" else secured.bootstrap(listener)
    assert why in await refusal(told(access | {"KAFKA_BOOTSTRAP": port, "KAFKA_SECURITY_PROTOCOL": speaks}))


async def test_a_user_who_may_nothing_is_a_refused_start(secured: SecuredKafka, told: Told) -> None:
    line = await refusal(told(secured.access("SEALED") | {"KAFKA_SASL_USERNAME": STRANGER}))
    assert line.startswith(f"Kafka at {secured.bootstrap('SEALED')} does not allow '{STRANGER}' what it needs: ")
    assert QUARANTINE.name in line


async def test_a_user_who_may_not_be_in_the_group_is_a_refused_start(secured: SecuredKafka, told: Told) -> None:
    stranger = told(secured.access("SEALED") | {"KAFKA_SASL_USERNAME": STRANGER})
    with pytest.raises(StartRefused, match="in the group pulse-dispatcher"):
        await has_gone(Member(stranger, DISPATCHERS, "somebody", 5), asyncio.Event())


async def test_a_cluster_that_is_away_is_waited_for_and_the_log_says_why(told: Told) -> None:
    cluster = told({"KAFKA_BOOTSTRAP": "127.0.0.1:1"})
    with capture_logs() as logs, pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await topics_once_there(cluster, [QUARANTINE])
    assert {"kafka_away"} == {entry["event"] for entry in logs}
    assert "[Errno 111]" in logs[0]["reason"]


async def test_readiness_says_that_kafka_refuses_and_recovers_by_itself(secured: SecuredKafka, told: Told) -> None:
    """As after a password that was changed at the cluster: the old connections are gone, a new one is refused."""
    wrong = told(secured.access("SEALED") | {"KAFKA_SASL_PASSWORD": "of yesterday"})
    answers = False

    async def has_answered() -> bool:
        return answers

    check = kafka_probe.with_reason(wrong, has_answered)
    with capture_logs() as logs, pytest.raises(Unanswered, match="it refuses user 'pulse' with SCRAM-SHA-512"):
        await check()
    assert [entry["event"] for entry in logs] == ["kafka_refuses"]
    answers = True
    assert await check()


async def test_a_client_goes_on_when_the_cluster_ends_its_session_with_the_token(
    secured: SecuredKafka, told: Told, tmp_path: Path
) -> None:
    """Kafka closes the connection at the end of a session; the next one has the token that is in the file by then."""
    cluster = told(with_token(secured, "CLEAR", tmp_path / "token", secured.token(seconds=60)))
    async with producer(cluster) as sender:
        for _ in range(4):
            await quarantine(sender, "a test", "unreadable", "", b"")
            await asyncio.sleep(SHORT_SESSION_MS / 1000 / 2)
            (tmp_path / "token").write_text(secured.token())
    ends = cluster.consumer()
    await ends.start()
    try:
        partition = TopicPartition(QUARANTINE.name, 0)
        assert (await ends.end_offsets([partition]))[partition] >= 4
    finally:
        await ends.stop()


async def test_the_set_up_job_makes_the_topics_over_tls_and_sasl_and_is_refused_in_one_line(
    secured: SecuredKafka, told: Told
) -> None:
    said: list[str] = []
    topics = {topic: topic.least for topic in TOPICS}
    await make_topics(told(secured.access("SEALED")), topics, 1, said.append)
    with pytest.raises(StartRefused, match=r"^Kafka refuses: .*SCRAM-SHA-512"):
        await make_topics(told(secured.access("SEALED") | {"KAFKA_SASL_PASSWORD": "wrong"}), topics, 1, said.append)


@pytest.mark.parametrize("service", ["campaign_svc", "dispatcher_svc", "status_ingest_svc"])
async def test_a_service_ends_with_one_line_and_without_a_trace(
    secured: SecuredKafka, tmp_path: Path, service: str
) -> None:
    (tmp_path / "key").write_text("k" * 32)
    needed = {
        "AUTH_KEY_FILE": str(tmp_path / "key"),
        "LOOPS_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/nowhere",
        "POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/nowhere",
        "MQTT_HOST": "127.0.0.1",
        "MQTT_PORT": "1",
        "HTTP_PORT": "0",
    }
    environment = os.environ | needed | secured.access("SEALED") | {"KAFKA_SASL_PASSWORD": "not-the-one"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert process.returncode == 2
    [line] = err.decode().splitlines()
    assert "Kafka refuses: " in line
    assert "it refuses user 'pulse' with SCRAM-SHA-512" in line
    assert b"Traceback" not in out
    assert b"not-the-one" not in out + err


def test_every_client_of_kafka_is_made_where_the_access_is_known() -> None:
    folders = ("shared", "catalog-svc", "campaign-svc", "dispatcher-svc", "status-ingest-svc", "deploy")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py") if file.name != "kafka_cluster.py"]
    made = {
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in files
        if "node_modules" not in file.parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("AIOKafka")
    }
    assert made - {_bare_question()} == set()


def _bare_question() -> str:
    """The one that only asks whether a port speaks without TLS, and gives no name."""
    file = ROOT / "shared" / "pulse" / "runtime" / "kafka_probe.py"
    lines = file.read_text(encoding="utf-8").splitlines()
    [number] = [n for n, line in enumerate(lines, 1) if "= AIOKafkaConnection(host, port, request" in line]
    return f"{file.relative_to(ROOT)}:{number}"


def test_each_listener_is_tried() -> None:
    assert set(LISTENERS.values()) == {"SSL", "SASL_PLAINTEXT", "SASL_SSL"}
