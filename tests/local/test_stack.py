"""The stack from the outside: up, down, status, and somebody who pulls plugs. Real parts, without the services."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, run
from tempfile import mkdtemp
from typing import Any

import asyncpg
import pytest

from local_stack import commands, control, daemon, in_force, stack_env
from local_stack.errors import StackError
from local_stack.mqtt_probe import connect_code
from local_stack.ports import HOST, free_ports, listens
from local_stack.settings import StackSettings

pytestmark = pytest.mark.timeout(180)


def settings_for(folder: Path) -> StackSettings:
    gateway, postgres, kafka, controller, mqtt = free_ports(5)
    return StackSettings(
        run_dir=folder,
        gateway_port=gateway,
        postgres_port=postgres,
        kafka_port=kafka,
        kafka_controller_port=controller,
        mqtt_port=mqtt,
        catalogs=0,
        campaigns=0,
        dispatchers=0,
        ingests=0,
    )


@pytest.fixture(scope="module")
def settings() -> Iterator[StackSettings]:
    folder = Path(mkdtemp(prefix="pulse-stack-"))
    folder.chmod(0o711)
    made = settings_for(folder)
    commands.up(made, print)
    yield made
    commands.down(made)


def pid_of(settings: StackSettings, name: str) -> int:
    return int(stack_env.read(settings.directory)[name])


def until_down(settings: StackSettings, part: str) -> None:
    deadline = time.monotonic() + 10
    while commands.status(settings.directory)[part][0] != "down":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_part_runs_and_up_again_changes_nothing(settings: StackSettings) -> None:
    before = commands.status(settings.directory)
    assert [(name, state) for name, (state, _) in before.items()] == [
        ("postgres", "up"),
        ("kafka", "up"),
        ("mosquitto", "up"),
        ("accounts", "up"),
        ("sign-in", "up"),
        ("gateway", "up"),
    ]
    assert commands.up(settings, print) is False
    assert commands.status(settings.directory) == before


async def test_stack_env_says_where_everything_is(settings: StackSettings) -> None:
    stack = stack_env.read(settings.directory)
    connection = await asyncpg.connect(stack["POSTGRES_DSN"])
    assert await connection.fetchval("SELECT to_regclass('ota_device_status')") is not None
    await connection.close()
    user, password = stack["MQTT_ADMIN_USER"], stack["MQTT_ADMIN_PASSWORD"]
    observer = stack["MQTT_OBSERVER_USER"], stack["MQTT_OBSERVER_PASSWORD"]
    for name, secret in ((user, password), observer):
        assert connect_code(int(stack["MQTT_PORT"]), name, secret) == 0
    assert stack["GATEWAY_URL"] == f"http://{HOST}:{settings.gateway_port}"
    assert stack["KAFKA_BOOTSTRAP"] == f"{HOST}:{settings.kafka_port}"


def test_secrets_are_for_their_owner_only(settings: StackSettings) -> None:
    for file in (settings.directory / "stack.env", *(settings.directory / "secrets").iterdir()):
        assert file.stat().st_mode & 0o077 == 0, file


@pytest.mark.parametrize(
    ("part", "variable"), [("mosquitto", "MOSQUITTO_PID"), ("postgres", "POSTGRES_PID"), ("kafka", "KAFKA_PID")]
)
def test_a_killed_foundation_is_reported_and_comes_back_when_asked(
    settings: StackSettings, part: str, variable: str
) -> None:
    killed = pid_of(settings, variable)
    os.kill(killed, signal.SIGKILL)
    until_down(settings, part)
    assert variable not in stack_env.read(settings.directory)
    assert f"{part} was killed by SIGKILL" in (settings.directory / "logs" / "supervisor.log").read_text()
    commands.restart(settings.directory, part)
    assert pid_of(settings, variable) != killed
    assert commands.status(settings.directory)[part][0] == "up"


def test_an_unknown_part_is_refused_with_the_names_that_there_are(settings: StackSettings) -> None:
    with pytest.raises(
        StackError, match="no part kafak; there are postgres, kafka, mosquitto, accounts, sign-in, gateway"
    ):
        commands.restart(settings.directory, "kafak")


def test_a_taken_port_is_named_with_its_setting(settings: StackSettings, tmp_path: Path) -> None:
    other = settings_for(tmp_path).model_copy(update={"mqtt_port": settings.mqtt_port})
    with pytest.raises(StackError, match=rf"already taken: port {settings.mqtt_port} \(MQTT_PORT\)"):
        commands.up(other, print)
    assert commands.down(other) is False


def test_up_after_the_supervisor_was_killed_starts_anew(settings: StackSettings) -> None:
    kafka = pid_of(settings, "KAFKA_PID")
    supervisor = daemon.holder(settings.directory)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    assert commands.up(settings, print) is True
    assert pid_of(settings, "KAFKA_PID") != kafka


def test_down_ends_all_and_is_harmless_when_nothing_runs(settings: StackSettings) -> None:
    assert commands.down(settings) is True
    assert not any(listens(port) for port in (settings.gateway_port, settings.postgres_port, settings.mqtt_port))
    assert not (settings.directory / "stack.env").exists()
    assert commands.down(settings) is False
    with pytest.raises(StackError, match="is it up"):
        commands.status(settings.directory)


def test_what_was_in_the_database_is_there_after_down_and_up(settings: StackSettings) -> None:
    async def execute(statement: str) -> object:
        connection = await asyncpg.connect(stack_env.read(settings.directory)["POSTGRES_DSN"])
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    commands.up(settings, print)
    asyncio.run(execute("CREATE TABLE kept AS SELECT 7 AS n"))
    commands.down(settings)
    commands.up(settings, print)
    assert asyncio.run(execute("SELECT n FROM kept")) == 7


def test_a_stack_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    broken = tmp_path / "mosquitto" / "data"
    broken.parent.mkdir(parents=True)
    broken.write_text("in the way")
    with pytest.raises(StackError, match=r"File exists: .*data"):
        commands.up(settings, print)
    assert commands.down(settings) is False
    assert not any(listens(port) for port in (settings.postgres_port, settings.kafka_port, settings.mqtt_port))


def test_an_up_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    command = [sys.executable, "-m", "local_stack", "up"]
    with Popen(command, env=os.environ | settings.environment(), stdout=DEVNULL, stderr=PIPE, text=True) as process:
        assert process.stderr is not None
        while "is ready" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    assert daemon.holder(settings.directory) is None
    assert not any(listens(port) for port in (settings.postgres_port, settings.kafka_port, settings.mqtt_port))


def test_the_control_socket_of_a_deep_folder_lies_in_the_temporary_folder() -> None:
    deep = Path("/home/somebody") / ("long/" * 30)
    assert len(str(control.socket_path(deep))) <= control.LONGEST_SOCKET_PATH
    assert control.socket_path(deep) != control.socket_path(deep / "another")
    assert control.socket_path(Path("/home/somebody/.run")) == Path("/home/somebody/.run/control.sock")


def test_a_port_beyond_the_last_is_refused() -> None:
    with pytest.raises(StackError, match="PORT_OFFSET=50000 puts KAFKA_PORT on 69092, which is no port"):
        StackSettings(port_offset=50_000).port("kafka_port")


@pytest.mark.parametrize("name", ["gateway_port", "postgres_port", "kafka_port", "mqtt_port", "service_port"])
def test_a_given_port_is_that_port_and_the_others_are_shifted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    default = StackSettings().port(name)
    monkeypatch.setenv("PORT_OFFSET", "600")
    assert StackSettings().port(name) == default + 600
    monkeypatch.setenv(name.upper(), str(default))
    assert StackSettings().port(name) == default


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"port_offset": 2000},
            r"PORT_OFFSET=2000 puts GATEWAY_PORT on 10080, which browsers refuse .* PORT_OFFSET=2001",
        ),
        ({"gateway_port": 6665}, r"GATEWAY_PORT=6665, which browsers refuse .*; try GATEWAY_PORT=6670"),
        ({"gateway_port": 6000, "port_offset": 100}, r"GATEWAY_PORT=6000, which browsers refuse"),
    ],
)
def test_a_gateway_port_that_browsers_refuse_is_refused_with_another_that_they_open(
    given: dict[str, Any], words: str
) -> None:
    with pytest.raises(StackError, match=words):
        StackSettings(**given).port("gateway_port")


def test_a_port_that_only_programs_open_may_be_any() -> None:
    assert StackSettings(mqtt_port=10_080).port("mqtt_port") == 10_080


def test_up_on_a_running_stack_says_which_given_settings_are_not_in_force(settings: StackSettings) -> None:
    port = settings.gateway_port
    environment = os.environ | settings.environment() | {
        "DISPATCHERS": "3", "KAFKAS": "1", "GATEWAY_PORT": str(port + 1), "PORT_OFFSET": "7", "TICK_SECONDS": "2",
        "OTEL_EXPORTER_OTLP_HEADERS": "key=secret",
    }  # fmt: skip
    again = [sys.executable, "-m", "local_stack", "up"]
    said = run(again, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert said[:7] == [
        "the stack was up already",
        "  DISPATCHERS=3 is not in force: the stack runs with 0",
        f"  GATEWAY_PORT={port + 1} is not in force: the stack runs with {port}",
        "  OTEL_EXPORTER_OTLP_HEADERS is another one in the stack that runs",
        "  PORT_OFFSET=7 is not in force: the stack runs with 0",
        "  TICK_SECONDS=2 is not in force: the stack runs without it",
        f"  {in_force.HOW}",
    ]
    assert f"  GATEWAY_URL=http://{HOST}:{port}" in said


def test_up_on_a_running_stack_says_nothing_of_settings_that_are_the_same(settings: StackSettings) -> None:
    assert commands.not_in_force(settings, os.environ) == []


def test_free_ports_are_free_and_different() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    with socket.create_server((HOST, ports[0])):
        assert listens(ports[0])
    assert not listens(ports[0])
