"""Many devices behind a few connections are devices all the same: each with its subscription, memory and answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from fleetsim.accounts import numbered
from fleetsim.connection import Broker, Login
from fleetsim.fleet import Fleet, Shared
from fleetsim.nature import Behaviour, Failure
from fleetsim.recorder import read_line
from fleetsim.wire import command_topic
from tests import real_parts
from tests.fleetsim.dispatcher import Dispatcher, administrator

QUICK = Behaviour(download_seconds=(0, 0.05), install_seconds=(0, 0.05), fetch=0, progress_percent=100)


@pytest.fixture
def shared(mosquitto: real_parts.Broker) -> Shared:
    return Shared(Login(mosquitto.admin_user, mosquitto.admin_password), connections=4)


@pytest.fixture
def broker(mosquitto: real_parts.Broker) -> Broker:
    return Broker(mosquitto.host, mosquitto.port, timeout=3.0)


@asynccontextmanager
async def fleet_of(
    number: int, broker: Broker, shared: Shared, behaviour: Behaviour = QUICK, **more: Any
) -> AsyncIterator[Fleet]:
    """d0, d1, … of acme, running 1.0.0."""
    accounts = numbered("acme", f"d{{0..{number - 1}}}", "", "1.0.0")
    async with Fleet(accounts, broker, behaviour, shared=shared, **more) as fleet:
        await fleet.ready()
        yield fleet


async def heard(dispatcher: Dispatcher, number: int, status: str) -> list[dict[str, object]]:
    """Reports until so many of one status have come."""
    reports: list[dict[str, object]] = []
    while sum(report.get("status") == status for report in reports) < number:
        reports.append(await dispatcher.hear())
    return reports


async def reason_of(client: aiomqtt.Client, device: str) -> int:
    """What the broker answers to a message for a device."""
    reasons: list[int] = []
    client._client.on_publish = lambda *said: reasons.append(said[3].value)
    client._client.publish(command_topic("acme", device), b"{}", qos=1)
    async with asyncio.timeout(5):
        while not reasons:
            await asyncio.sleep(0.01)
    return reasons[0]


async def test_every_device_says_that_it_is_there_and_updates_itself_exactly_once(
    broker: Broker, shared: Shared, dispatcher: Dispatcher
) -> None:
    async with fleet_of(40, broker, shared) as fleet:
        assert fleet.connections == 4
        presences = [await dispatcher.hear() for _ in range(40)]
        assert {str(report["device"]) for report in presences} == {agent.account.device_id for agent in fleet}
        for agent in fleet:
            await dispatcher.command(agent.account.device_id)
        reports = await heard(dispatcher, 40, "SUCCESS")
        assert {agent.memory.version for agent in fleet} == {"2.0.0"}
    said = [(report["device"], report["status"]) for report in reports]
    assert len(said) == len(set(said))
    assert {device for device, status in said if status == "SUCCESS"} == {agent.account.device_id for agent in fleet}
    assert (fleet.tally.commands, fleet.tally.acted_on, fleet.tally.succeeded) == (40, 40, 40)


async def test_device_off_the_network_gets_reason_16_like_one_with_a_connection_of_its_own(
    broker: Broker, shared: Shared, dispatcher: Dispatcher, mosquitto: real_parts.Broker
) -> None:
    async with fleet_of(8, broker, shared, keep_history=True) as fleet, administrator(mosquitto) as client:
        away = fleet["acme", "d3"]
        away.go_offline()
        async with asyncio.timeout(5):
            while await reason_of(client, "d3") != 16:
                await asyncio.sleep(0.01)
        assert await reason_of(client, "d7") == 0
        received = len(away.history.payloads("received"))
        away.come_back()
        await away.until_online()
        assert await reason_of(client, "d3") == 0
        await away.history.until(lambda _: len(away.history.payloads("received")) == received + 1)


async def test_repeat_is_answered_with_the_outcome_and_not_acted_on(
    broker: Broker, shared: Shared, dispatcher: Dispatcher
) -> None:
    async with fleet_of(4, broker, shared, presence=False) as fleet:
        command = await dispatcher.command("d1")
        done = (await heard(dispatcher, 1, "SUCCESS"))[-1]
        await dispatcher.send("d1", command)
        assert await dispatcher.hear() == done
        assert (fleet.tally.acted_on, fleet.tally.repeats) == (1, 1)


async def test_devices_without_a_word_to_say_are_quiet_when_asked_to_be(
    broker: Broker, shared: Shared, dispatcher: Dispatcher
) -> None:
    async with fleet_of(20, broker, shared, presence=False):
        await dispatcher.command("d9")
        assert (await dispatcher.hear())["status"] == "DOWNLOADING"


async def test_all_devices_find_back_to_a_killed_broker_and_repeat_what_they_said_last(
    broker: Broker, shared: Shared, dispatcher: Dispatcher, mosquitto: real_parts.Broker
) -> None:
    async with fleet_of(12, broker, shared) as fleet:
        for agent in fleet:
            await dispatcher.command(agent.account.device_id)
        await heard(dispatcher, 12, "SUCCESS")
        await mosquitto.kill()
        while any(agent.is_online for agent in fleet):
            await asyncio.sleep(0.01)
        await mosquitto.start()
        async with administrator(mosquitto) as client:
            await client.subscribe("tenant/+/device/+/ota/status", qos=1)
            again = Dispatcher(client, "http://127.0.0.1/none")
            said = {str(report["device"]): report["status"] for report in await heard(again, 12, "SUCCESS")}
        assert said == {agent.account.device_id: "SUCCESS" for agent in fleet}


@pytest.mark.parametrize(
    ("failure", "status", "named"),
    [
        (Failure.DOWNLOAD, "FAILED", "download_failed"),
        (Failure.CHECKSUM, "FAILED", "bad_checksum"),
        (Failure.INSTALL, "FAILED", "install_failed"),
        (Failure.ROLLBACK, "SUCCESS", None),
    ],
)
async def test_downloads_that_are_not_real_fail_like_real_ones(
    broker: Broker, shared: Shared, dispatcher: Dispatcher, failure: Failure, status: str, named: str | None
) -> None:
    failing = Behaviour(fail=1, failures=(failure,), fetch=0, download_seconds=(0, 0), install_seconds=(0, 0))
    async with fleet_of(2, broker, shared, failing, presence=False) as fleet:
        await dispatcher.command("d0")
        last = (await heard(dispatcher, 1, status))[-1]
        assert last.get("error_code") == named
        assert last.get("version", "1.0.0") == fleet["acme", "d0"].memory.version == "1.0.0"
        assert fleet.tally.outcomes == {failure: 1}


async def test_late_report_is_overtaken_and_one_sent_twice_comes_twice(
    broker: Broker, shared: Shared, dispatcher: Dispatcher
) -> None:
    unruly = replace(QUICK, late=0.4, late_seconds=(0.4, 0.5), duplicates=0.5, seed=3)
    async with fleet_of(30, broker, shared, unruly, presence=False) as fleet:
        for agent in fleet:
            await dispatcher.command(agent.account.device_id)
        reports = await heard(dispatcher, 30, "SUCCESS")
        async with asyncio.timeout(10):
            while any(agent.memory.unsent for agent in fleet):
                await asyncio.sleep(0.01)
        tally = fleet.tally
    orders = {name: [r["status"] for r in reports if r["device"] == name] for name in {r["device"] for r in reports}}
    assert any(order.index("SUCCESS") < len(order) - 1 for order in orders.values() if "SUCCESS" in order)
    assert tally.late_sent > 10
    assert tally.duplicates_sent > 10
    assert tally.succeeded == 30


async def test_storm_cuts_many_at_once_and_all_come_back(
    broker: Broker, shared: Shared, dispatcher: Dispatcher
) -> None:
    stormy = Behaviour(fetch=0, storm_every=0.3, storm_share=0.5, storm_seconds=(0.05, 0.1))
    async with fleet_of(40, broker, shared, stormy, keep_history=True) as fleet:
        async with asyncio.timeout(10):
            while fleet.tally.storms < 2:
                await asyncio.sleep(0.01)
            while fleet.tally.connected < 40:
                await asyncio.sleep(0.01)
        cut = [sum(entry.what == "disconnected" for entry in agent.history.entries) for agent in fleet]
    assert 10 < sum(times > 0 for times in cut) < 40


async def test_history_holds_what_a_device_received_and_sent_with_both_clocks(
    broker: Broker, shared: Shared, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    file = tmp_path / "history.jsonl"
    async with fleet_of(3, broker, shared, presence=False, history=file):
        command = await dispatcher.command("d2")
        await dispatcher.send("d2", b"\xff\x00")
        await heard(dispatcher, 1, "SUCCESS")
    entries = [read_line(text) for text in file.read_bytes().splitlines()]
    ours = [entry for entry in entries if entry.device_id == "d2"]
    assert [entry.payload for entry in ours if entry.what == "received"] == [command.decode(), None]
    assert [entry.payload_base64 for entry in ours if entry.what == "received"] == [None, b"\xff\x00"]
    assert {entry.reason_code for entry in ours if entry.what == "sent"} == {0}
    assert [entry.monotonic for entry in ours] == sorted(entry.monotonic for entry in ours)
    assert all(abs(entry.at - datetime.now(UTC).timestamp()) < 60 for entry in entries)
    [ended] = [entry.payload for entry in ours if entry.what == "ended"]
    assert ended == '{"campaign_id":7,"attempt":1,"version":"2.0.0","outcome":"success"}'
