"""`python -m fleetsim`: refuses what makes no sense in one clear line, and stops cleanly when it is told to."""

import asyncio
import json
import signal
import ssl
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleetsim.cli import app
from fleetsim.recorder import read_line
from fleetsim.show import line
from fleetsim.tally import Tally
from tests import real_parts
from tests.certificates import Authority
from tests.fleetsim.dispatcher import Dispatcher
from tests.runtime.mqtt.wire import Peer, server_tls
from tests.runtime.mqtt.wire import broker as tls_broker

DEVICE = {"tenant_id": "acme", "device_id": "d0", "password": "secret", "device_type": "gw2", "version": "1.0.0"}


def devices_file(folder: Path, *lines: str) -> Path:
    file = folder / "devices.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


CONTRADICTIONS = [
    (["--install-seconds", "soon"], "'soon' is not a number"),
    (["--install-seconds", "3..1"], "from a least to a most"),
    (["--fail-seconds", "never"], "'never' is not a number"),
    (["--failures", "meteor"], "download,checksum,install,silence,rollback"),
    (["--failures", "install=often"], "a weight goes behind"),
    (["--fail", "0.7", "--flaky", "0.7"], "together are at most 1"),
    (["--tenant", "acme"], "--tenant and --ids belong together"),
    (["--ids", "d{0..9}", "--tenant", "acme"], "either --devices or --ids"),
    (["--connections", "5"], "--connections needs a --user"),
    (["--password", "x"], "have their own passwords"),
    (["--user", "u", "--password", "x", "--password-file", __file__], "exclude one another"),
    (["--download-seconds", "1", "--bandwidth", "1k"], "exclude one another"),
    (["--size", "1M"], "give --fetch below 1"),
    (["--offline", "0.1", "--offline-seconds", "1~1"], "only a number or a span"),
    (["--storm-share", "0.5"], "storms need both"),
    (["--ca", __file__], "--ca"),
    (["--cert", __file__], "--cert and --key belong together"),
    (["--cert", __file__, "--key", __file__], "--cert"),
]


@pytest.mark.parametrize(("options", "said"), CONTRADICTIONS)
def test_contradictory_options_are_refused_with_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    file = devices_file(tmp_path, json.dumps(DEVICE))
    answer = CliRunner().invoke(app, ["run", "--devices", str(file), *options])
    assert answer.exit_code == 2
    [refusal] = answer.stderr.splitlines()
    assert refusal.startswith("fleetsim: ")
    assert said in refusal


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ids", "d9", "--tenant", "acme"], "one span of numbers"),
        (["--ids", "d{0..9}", "--tenant", "a/b"], "'a/b' is no name"),
        (["--ids", "d{0..30000}", "--tenant", "acme"], "open files are needed"),
        ([], "which devices?"),
    ],
)
def test_devices_that_cannot_be_are_refused_with_one_line(options: list[str], said: str) -> None:
    answer = CliRunner().invoke(app, ["run", *options, "--state", "/dev/null/never"])
    assert answer.exit_code == 2
    [refusal] = answer.stderr.splitlines()
    assert said in refusal


def test_same_file_for_two_uses_is_refused(tmp_path: Path) -> None:
    file = devices_file(tmp_path, json.dumps(DEVICE))
    answer = CliRunner().invoke(app, ["run", "--devices", str(file), "--history", str(file)])
    assert (answer.exit_code, "named twice" in answer.stderr) == (2, True)


def test_value_out_of_its_range_is_refused(tmp_path: Path) -> None:
    file = devices_file(tmp_path, json.dumps(DEVICE))
    answer = CliRunner().invoke(app, ["run", "--devices", str(file), "--fail", "2"])
    assert (answer.exit_code, "'--fail'" in answer.output) == (2, True)


def test_help_explains_itself_to_a_stranger() -> None:
    answer = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "120", "TERM": "dumb"})
    assert answer.exit_code == 0
    for word in (
        "Which devices",
        "The broker",
        "What goes wrong",
        "The network",
        "--history",
        "rollback",
        "log-normal",
    ):
        assert word in answer.output


def test_progress_line_names_the_trouble_only_while_devices_are_missing() -> None:
    assert line(Tally(connected=1, trouble="refused"), 2).endswith("; refused")
    assert "refused;" not in line(Tally(connected=2, trouble="old"), 2)
    assert line(Tally(connected=2, trouble="old"), 2).startswith("2 of 2 devices connected")


async def started(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fleetsim", "run", *options, stdout=PIPE, stderr=STDOUT
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_fleet_connects_and_stops_on_a_signal(
    mosquitto: real_parts.Broker, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    mosquitto.add_accounts({"acme/device/d0": "secret"})
    state = tmp_path / "state.jsonl"
    devices = devices_file(tmp_path, json.dumps(DEVICE))
    process = await started("--devices", str(devices), "--mqtt-port", str(mosquitto.port), "--state", str(state))
    async with asyncio.timeout(20):
        while not state.exists() or not state.read_bytes():
            await asyncio.sleep(0.05)
        process.send_signal(number)
        output, _ = await process.communicate()
    assert process.returncode == code
    *progress, counts = output.decode().partition("1 devices on 1 connections")
    assert all(line.startswith("1 of 1 devices connected, 0 commands") for line in progress[0].splitlines())
    assert "commands: 0 received" in counts


async def test_fleet_stops_by_itself_when_its_work_is_done_and_says_what_it_was(
    mosquitto: real_parts.Broker, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    history, summary = tmp_path / "history.jsonl", tmp_path / "summary.json"
    process = await started(
        *("--tenant", "acme", "--ids", "d{0..9}", "--user", mosquitto.admin_user, "--mqtt-port", str(mosquitto.port)),
        *("--password-file", str(mosquitto.password_file(mosquitto.admin_user)), "--fail", "0", "--idle", "1.5"),
        *("--download-seconds", "0.1", "--install-seconds", "0.1", "--progress", "100"),
        *("--history", str(history), "--summary", str(summary)),
    )
    async with asyncio.timeout(20):
        for _ in range(10):
            assert (await dispatcher.hear())["version"] == "1.0.0"
        command = await dispatcher.command("d3")
        await dispatcher.hear_until("SUCCESS")
        await dispatcher.send("d3", command)
        output, _ = await process.communicate()
    assert process.returncode == 0, output
    counts = json.loads(summary.read_bytes())
    assert (counts["devices"], counts["connections"]) == (10, 1)
    assert counts["commands"] | {"received": 2, "acted_on": 1, "repeats_ignored": 1} == counts["commands"]
    assert counts["updates"]["outcomes"] == {"success": 1}
    whats = [entry.what for entry in map(read_line, history.read_bytes().splitlines()) if entry.device_id == "d3"]
    assert whats[:4] == ["connected", "sent", "received", "began"]
    assert Counter(whats) == {"connected": 1, "disconnected": 1, "received": 2, "began": 1, "ended": 1, "sent": 5}


async def test_fleet_whose_history_cannot_be_written_ends_with_one_line(mosquitto: real_parts.Broker) -> None:
    access = ("--user", mosquitto.admin_user, "--password-file", str(mosquitto.password_file(mosquitto.admin_user)))
    options = ("--tenant", "acme", "--ids", "d{0..3}", *access, "--mqtt-port", str(mosquitto.port), "--for", "15")
    process = await started(*options, "--history", "/dev/full")
    async with asyncio.timeout(12):
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert output.splitlines()[-1] == b"fleetsim: /dev/full: No space left on device"
    assert b"Traceback" not in output


async def test_fleet_speaks_tls_with_the_authority_of_a_file(
    mosquitto: real_parts.Broker, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    server, _ = server_tls()
    ca = tmp_path / "ca.pem"

    async def forward(peer: Peer) -> None:
        reader, writer = await asyncio.open_connection(mosquitto.host, mosquitto.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(pipe(peer.reader, writer))
            group.create_task(pipe(reader, peer.writer))

    access = ("--user", mosquitto.admin_user, "--password-file", str(mosquitto.password_file(mosquitto.admin_user)))
    async with tls_broker(forward, tls=server) as port, asyncio.timeout(20):
        ca.write_text(await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port)))
        options = ("--tenant", "acme", "--ids", "d{5..5}", *access, "--mqtt-port", str(port), "--for", "1.5")
        process = await started(*options, "--ca", str(ca))
        assert await dispatcher.hear() == {"device": "d5", "version": "1.0.0"}
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert b"reports: 1 delivered" in output


async def test_fleet_shows_a_client_certificate(
    mosquitto: real_parts.Broker, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    own, shown = authority.server(), authority.client("fleet")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    server.load_cert_chain(own.certificate, own.key)
    server.verify_mode = ssl.CERT_REQUIRED

    async def forward(peer: Peer) -> None:
        reader, writer = await asyncio.open_connection(mosquitto.host, mosquitto.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(pipe(peer.reader, writer))
            group.create_task(pipe(reader, peer.writer))

    access = ("--user", mosquitto.admin_user, "--password-file", str(mosquitto.password_file(mosquitto.admin_user)))
    async with tls_broker(forward, tls=server) as port, asyncio.timeout(20):
        options = ("--tenant", "acme", "--ids", "d{6..6}", *access, "--mqtt-port", str(port), "--for", "1.5")
        files = ("--ca", str(authority.file), "--cert", str(shown.certificate), "--key", str(shown.key))
        process = await started(*options, *files)
        assert await dispatcher.hear() == {"device": "d6", "version": "1.0.0"}
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert b"reports: 1 delivered" in output


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end of the stream, which is passed on."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()
