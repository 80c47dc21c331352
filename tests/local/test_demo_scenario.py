"""What a demo prepares: files, accounts, settings."""

import hashlib
import json
from pathlib import Path

import pytest

from fleetsim.accounts import read_accounts
from local_stack.demo.devices import connected, fleet
from local_stack.demo.scenario import Scenario, make_accounts, put_firmware
from local_stack.demo.settings import DemoSettings, load
from local_stack.errors import StackError

SMALL = Scenario(DemoSettings(devices=3, rate=60), "261124.120000")


def test_firmware_is_where_the_gateway_serves_it_with_its_size_and_checksum(tmp_path: Path) -> None:
    firmware = put_firmware(SMALL, tmp_path / "files", "http://127.0.0.1:8080")
    name = firmware["file_url"].removeprefix("http://127.0.0.1:8080/files/")
    content = (tmp_path / "files" / name).read_bytes()
    assert firmware["file_size_bytes"] == len(content) == 300_000
    assert firmware["checksum_sha256"] == hashlib.sha256(content).hexdigest()


def test_every_device_gets_an_account_and_the_fleet_can_read_them(tmp_path: Path) -> None:
    file = make_accounts(SMALL, tmp_path)
    accounts = read_accounts(file, "")
    assert [account.user for account in accounts] == [f"demo/device/demo-000{n}" for n in (1, 2, 3)]
    assert {account.version for account in accounts} == {"1.0.0"}
    passwords = (tmp_path / "mosquitto" / "passwords").read_text(encoding="utf-8")
    assert [line.partition(":")[0] for line in passwords.splitlines()] == [account.user for account in accounts]
    assert file.stat().st_mode & 0o077 == 0


def test_fleet_is_ready_when_most_devices_are_connected(tmp_path: Path) -> None:
    part = fleet(DemoSettings(), tmp_path / "devices", "127.0.0.1", "1883", tmp_path / "log")
    assert "--fail" in part.command
    assert connected("12 of 500 devices connected, 0 commands\n480 of 500 devices connected, 0 commands\n") == 480
    assert connected("(no log)") == 0


@pytest.mark.parametrize(("name", "value"), [("DEVICES", "0"), ("RATE", "fast"), ("FAIL", "3"), ("OFFLINE", "1")])
def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StackError, match=name):
        load()


def test_campaign_is_json_that_the_api_takes_as_it_is() -> None:
    assert json.loads(json.dumps(SMALL.campaign(5)))["firmware_version_id"] == 5
