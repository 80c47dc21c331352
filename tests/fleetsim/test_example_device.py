"""The example device of the documentation keeps the rules, against the real broker."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests import real_parts
from tests.fleetsim.dispatcher import Dispatcher, Json

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
