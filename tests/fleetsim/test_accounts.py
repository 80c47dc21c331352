"""Which devices there are: from a file, or by a pattern."""

import json
from pathlib import Path

import pytest

from fleetsim.accounts import numbered, read_accounts
from fleetsim.connection import Account

DEVICE = {"tenant_id": "acme", "device_id": "d0", "password": "secret", "device_type": "gw2", "version": "1.0.0"}


def devices_file(folder: Path, *lines: str) -> Path:
    file = folder / "devices.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_devices_are_read_from_json_lines(tmp_path: Path) -> None:
    file = devices_file(tmp_path, json.dumps(DEVICE), "", json.dumps({"tenant_id": "acme", "device_id": "d1"}))
    assert read_accounts(file, "0.9") == [
        Account("acme", "d0", "secret", "gw2", "1.0.0"),
        Account("acme", "d1", version="0.9"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no device"),
        ("{", "line 1"),
        ('{"tenant_id": "acme"}', "device_id"),
        ('{"tenant_id": "acme", "device_id": "#"}', "line 1: '#' is no name"),
    ],
)
def test_bad_devices_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_accounts(devices_file(tmp_path, text), "1.0.0")


def test_pattern_numbers_devices_and_keeps_leading_zeros() -> None:
    assert [account.device_id for account in numbered("acme", "d{8..10}", "", "1")] == ["d8", "d9", "d10"]
    padded = numbered("acme", "gw-{008..010}-eu", "secret", "1")
    assert [account.device_id for account in padded] == ["gw-008-eu", "gw-009-eu", "gw-010-eu"]
    assert {(account.tenant_id, account.password, account.version) for account in padded} == {("acme", "secret", "1")}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("d", "one span"),
        ("d{0..1}{0..1}", "one span"),
        ("d{5..1}", "names 0 devices"),
        ("d{0..1000000}", "1,000,001 devices"),
        ("a/{0..1}", "is no name"),
    ],
)
def test_pattern_that_names_no_fleet_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        numbered("acme", pattern, "", "1")
