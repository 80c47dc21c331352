"""`python -m fleetsim`: refuses what makes no sense in one clear line, and stops cleanly when it is told to."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleetsim.accounts import read_accounts
from fleetsim.cli import app, kinds, line, seconds
from fleetsim.connection import Account
from fleetsim.nature import Failure
from fleetsim.world import Tally
from tests import real_parts

DEVICE = {"tenant_id": "acme", "device_id": "d0", "password": "secret", "device_type": "gw2", "version": "1.0.0"}


def devices_file(folder: Path, *lines: str) -> Path:
    file = folder / "devices.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_devices_are_read_from_json_lines(tmp_path: Path) -> None:
    file = devices_file(tmp_path, json.dumps(DEVICE), "", json.dumps(DEVICE | {"device_id": "d1"}))
    assert read_accounts(file) == [
        Account("acme", "d0", "secret", "gw2", "1.0.0"),
        Account("acme", "d1", "secret", "gw2", "1.0.0"),
    ]


@pytest.mark.parametrize(
    ("text", "said"), [("", "names no device"), ("{", "line 1"), ('{"tenant_id": "acme"}', "device_id")]
)
def test_bad_devices_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_accounts(devices_file(tmp_path, text))


def test_spans_and_kinds_are_read_as_written() -> None:
    assert seconds("2") == (2.0, 2.0)
    assert seconds("0.5..3") == (0.5, 3.0)
    assert kinds("install, silence") == (Failure.INSTALL, Failure.SILENCE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--install-seconds", "soon"], "neither a number of seconds"),
        (["--install-seconds", "3..1"], "from a least to a most"),
        (["--fail-seconds", "never"], "neither a number of seconds"),
        (["--failures", "meteor"], "download,checksum,install,silence"),
        (["--fail", "2"], "Invalid value for '--fail'"),
        (["--fail", "0.7", "--flaky", "0.7"], "together are at most 1"),
    ],
)
def test_contradictory_options_are_refused(tmp_path: Path, options: list[str], said: str) -> None:
    file = devices_file(tmp_path, json.dumps(DEVICE))
    answer = CliRunner().invoke(app, ["run", "--devices", str(file), *options])
    assert answer.exit_code == 2
    assert said in " ".join(answer.output.replace("│", " ").split())


def test_progress_line_names_the_trouble_only_while_devices_are_missing() -> None:
    assert line(Tally(connected=1, trouble="refused"), 2).endswith("; refused")
    assert "refused;" not in line(Tally(connected=2, trouble="old"), 2)
    assert line(Tally(connected=2, trouble="old"), 2).startswith("2 of 2 devices connected")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_fleet_connects_and_stops_on_a_signal(
    mosquitto: real_parts.Broker, tmp_path: Path, number: signal.Signals
) -> None:
    mosquitto.add_accounts({"acme/device/d0": "secret"})
    file = devices_file(tmp_path, json.dumps(DEVICE))
    state = tmp_path / "state.jsonl"
    options = ["--devices", str(file), "--mqtt-port", str(mosquitto.port), "--offline", "0", "--state", str(state)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fleetsim", "run", *options, stdout=PIPE, stderr=STDOUT
    )
    async with asyncio.timeout(20):
        while not state.exists() or not state.read_bytes():
            await asyncio.sleep(0.05)
        process.send_signal(number)
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert all(said.startswith(b"1 of 1 devices connected, 0 commands") for said in output.splitlines())
