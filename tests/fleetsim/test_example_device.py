"""The example device of the documentation keeps the rules, against the real broker."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import real_parts
from tests.fleetsim.dispatcher import Dispatcher, Json
from tests.fleetsim.http_files import file, serving

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "device.py"


@pytest.fixture
def options(mosquitto: real_parts.Broker, tmp_path: Path) -> dict[str, str]:
    mosquitto.add_accounts({"acme/device/example": "secret"})
    login = {"tenant": "acme", "device": "example", "password": "secret", "version": "1.0.0"}
    return login | {"port": str(mosquitto.port), "state": str(tmp_path / "device.json")}


@asynccontextmanager
async def example(options: dict[str, str]) -> AsyncIterator[None]:
    """The example as a process; killed at the end, as by a power cut."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    process = await asyncio.create_subprocess_exec(sys.executable, str(EXAMPLE), *arguments)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_example_updates_itself(dispatcher: Dispatcher, options: dict[str, str]) -> None:
    async with example(options):
        assert await dispatcher.hear() == {"device": "example", "version": "1.0.0"}
        await dispatcher.command("example")
        reports = await dispatcher.hear_until("SUCCESS")
    same: Json = {"device": "example", "campaign_id": 7, "attempt": 1}
    assert reports[-1] == same | {"status": "SUCCESS", "version": "2.0.0"}
    assert Path(options["state"]).with_suffix(".firmware").read_bytes() == dispatcher.body


async def test_example_remembers_over_a_power_cut(dispatcher: Dispatcher, options: dict[str, str]) -> None:
    async with example(options):
        await dispatcher.hear()
        command = await dispatcher.command("example")
        [*_, done] = await dispatcher.hear_until("SUCCESS")
    async with example(options):
        assert await dispatcher.hear() == done
        await dispatcher.send("example", command)
        assert await dispatcher.hear() == done
        await dispatcher.command("example", attempt=2)
        assert await dispatcher.hear() == done | {"attempt": 2}


async def test_example_reports_a_file_that_is_not_the_right_one(
    dispatcher: Dispatcher, options: dict[str, str]
) -> None:
    async with example(options):
        await dispatcher.hear()
        await dispatcher.command("example", checksum="00")
        [*_, failed] = await dispatcher.hear_until("FAILED")
    assert failed["error_code"] == "download_failed"
    assert "SHA-256" in str(failed["error"])


async def test_example_leaves_another_campaign_waiting(dispatcher: Dispatcher, options: dict[str, str]) -> None:
    async with example(options):
        await dispatcher.hear()
        await dispatcher.command("example", slow=True)
        await dispatcher.hear_until("DOWNLOADING")
        await dispatcher.command("example", campaign_id=8, version="3.0.0")
        outcomes = [await dispatcher.hear_until("SUCCESS") for _ in range(2)]
    assert [[report["campaign_id"] for report in reports][-1] for reports in outcomes] == [7, 8]
    assert {report["campaign_id"] for report in outcomes[0]} == {7}


TEN_MINUTES, THREE_DAYS = timedelta(minutes=10), timedelta(days=3)


@pytest.mark.parametrize("ahead", [-TEN_MINUTES, THREE_DAYS, timedelta(days=20_000)], ids=str)
async def test_example_with_a_wrong_clock_asks_the_server_of_the_file_for_the_time(
    dispatcher: Dispatcher, options: dict[str, str], ahead: timedelta
) -> None:
    firmware = file(Dispatcher.body, at=datetime.now(UTC) + ahead)
    async with example(options), serving({"/fw.bin": firmware}) as url:
        await dispatcher.hear()
        await dispatcher.command("example", ahead=ahead, url=url)
        [*_, done] = await dispatcher.hear_until("SUCCESS")
    assert (done["campaign_id"], done["attempt"]) == (7, 1)


@pytest.mark.parametrize("knows_the_time", [True, False])
@pytest.mark.parametrize(("ahead", "code"), [(-TEN_MINUTES, "expired"), (THREE_DAYS, "bad_time")])
async def test_example_says_that_a_commands_time_is_wrong_and_takes_the_next_one(
    dispatcher: Dispatcher, options: dict[str, str], ahead: timedelta, code: str, knows_the_time: bool
) -> None:
    firmware = file(Dispatcher.body, at=datetime.now(UTC) if knows_the_time else None)
    async with example(options), serving({"/fw.bin": firmware}) as url:
        await dispatcher.hear()
        await dispatcher.command("example", ahead=ahead, url=url)
        refused = await dispatcher.hear()
        assert (refused["campaign_id"], refused["attempt"], refused["status"]) == (7, 1, "FAILED")
        assert refused["error_code"] == code
        await dispatcher.command("example", attempt=2)
        [*_, done] = await dispatcher.hear_until("SUCCESS")
    assert done["attempt"] == 2


@pytest.mark.parametrize("issued_at", ["9999-12-31T23:59:59.999999Z", "2026-W48-2T12:00:00.000000Z", "tomorrow"])
async def test_example_is_not_frozen_by_a_forged_time(
    dispatcher: Dispatcher, options: dict[str, str], issued_at: str
) -> None:
    async with example(options):
        await dispatcher.hear()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        fields = json.loads(await dispatcher.command("elsewhere")) | {"issued_at": issued_at, "expires_at": now}
        await dispatcher.send("example", json.dumps(fields).encode())
        assert (await dispatcher.hear())["error_code"] == "bad_time"
        await dispatcher.command("example", attempt=2)
        [*_, done] = await dispatcher.hear_until("SUCCESS")
    assert done["attempt"] == 2


async def test_example_refuses_an_expired_command_of_another_campaign_and_goes_on(
    dispatcher: Dispatcher, options: dict[str, str]
) -> None:
    async with example(options):
        await dispatcher.hear()
        await dispatcher.command("example", slow=True)
        await dispatcher.hear_until("DOWNLOADING")
        late = json.loads(await dispatcher.command("elsewhere", campaign_id=8, version="3.0.0"))
        late["expires_at"] = late["issued_at"]
        await dispatcher.send("example", json.dumps(late).encode())
        reports = await dispatcher.hear_until("SUCCESS")
    assert [r["error_code"] for r in reports if r["campaign_id"] == 8] == ["expired"]
    assert reports[-1]["campaign_id"] == 7


async def test_example_leaves_messages_of_other_types_alone(dispatcher: Dispatcher, options: dict[str, str]) -> None:
    async with example(options):
        await dispatcher.hear()
        other = json.loads(await dispatcher.command("elsewhere")) | {"type": "reboot"}
        await dispatcher.send("example", json.dumps(other).encode())
        await dispatcher.command("example", campaign_id=8)
        reports = await dispatcher.hear_until("SUCCESS")
    assert {report["campaign_id"] for report in reports} == {8}
