"""A dispatcher that must not start says so in one line; one that may, shows what it is worth."""

import re
import signal
from pathlib import Path

import httpx

from local_stack.ports import free_ports
from pulse.contracts.kafka import QUARANTINE
from tests.dispatcher_svc.rig import Rig, until
from tests.forwarded import forwarded


async def refusal(scene: Rig, **settings: str) -> str:
    dispatcher = await scene.launch(**settings)
    await dispatcher.process.wait()
    assert dispatcher.process.returncode == 2
    lines = [line for line in dispatcher.log.read_text().splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    return lines[0]


async def test_a_missing_topic_is_refused_with_one_clear_line(scene: Rig) -> None:
    await scene.topics.delete(QUARANTINE.name)
    try:
        assert await refusal(scene) == (
            f"dispatcher-svc: Kafka topic {QUARANTINE.name} is missing; run the set-up job (python -m pulse_setup)"
        )
    finally:
        await scene.topics.make()


async def test_settings_that_do_not_fit_are_refused_with_one_line(scene: Rig) -> None:
    line = await refusal(scene, KAFKA_HEARTBEAT_MS="4000", MQTT_COMMAND_TOPIC="tenant/+/commands")
    assert "KAFKA_HEARTBEAT_MS" in line or "MQTT_COMMAND_TOPIC" in line


async def test_it_is_ready_only_when_all_its_parts_answer(scene: Rig) -> None:
    await scene.broker.kill()
    try:
        dispatcher = await scene.launch()
        await until(lambda: "partitions_taken" in dispatcher.log.read_text(), 20)
        assert not await dispatcher.is_ready()
    finally:
        await scene.broker.start()
    await until(dispatcher.is_ready, 10)


async def test_it_shows_its_series(scene: Rig) -> None:
    dispatcher = await scene.start()
    text = (await dispatcher.get("/metrics")).text
    names = set(re.findall(r"^# TYPE (pulse_dispatch\w+)", text, re.MULTILINE))
    assert {
        "pulse_dispatch_promised_total",
        "pulse_dispatch_published_total",
        "pulse_dispatch_outcomes_total",
        "pulse_dispatch_lag_seconds",
        "pulse_dispatch_held_seconds_total",
        "pulse_dispatch_in_flight",
        "pulse_dispatch_broker_answers_total",
        "pulse_dispatch_queued",
        "pulse_dispatch_commit_age_seconds",
    } <= names
    assert (await dispatcher.get("/healthz")).status_code == httpx.codes.OK


async def test_it_ends_cleanly_while_kafka_is_away(scene: Rig) -> None:
    dispatcher = await scene.start()
    await scene.topics.process.kill()
    try:
        assert await dispatcher.end(signal.SIGTERM) == 0
    finally:
        await scene.topics.process.start()


async def test_without_kafka_it_waits_says_so_and_goes_on_by_itself(scene: Rig) -> None:
    [port] = free_ports(1)
    dispatcher = await scene.launch(KAFKA_BOOTSTRAP=f"127.0.0.1:{port}")
    await until(dispatcher.is_alive, 10)
    answer = await dispatcher.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"kafka": False})
    assert await dispatcher.metric('pulse_ready{check="kafka"}') == 0
    async with forwarded(port, ("127.0.0.1", int(scene.topics.bootstrap.rpartition(":")[2]))):
        await until(dispatcher.is_ready, 20)


async def test_it_ends_cleanly_while_it_waits_for_kafka(scene: Rig) -> None:
    dispatcher = await scene.launch(KAFKA_BOOTSTRAP=f"127.0.0.1:{free_ports(1)[0]}")
    await until(dispatcher.is_alive, 10)
    assert await dispatcher.end(signal.SIGTERM) == 0


async def test_an_authority_that_cannot_be_read_is_refused_with_one_line(scene: Rig, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("not a certificate")
    assert (await refusal(scene, MQTT_CA_FILE=str(tmp_path / "ca.crt"))).startswith(
        f"dispatcher-svc: settings: MQTT_CA_FILE: Value error, {tmp_path / 'ca.crt'} holds no certificate"
    )
