"""Simulated devices against the real broker and a real file: a test plays the dispatcher at the wire."""

import asyncio
from pathlib import Path

import pytest

from fleetsim.agent import Agent
from fleetsim.connection import Account, Broker, LinkLostError
from fleetsim.fleet import Fleet
from fleetsim.nature import Behaviour, Failure
from fleetsim.wire import report_topic
from tests import real_parts
from tests.fleetsim.dispatcher import Dispatcher, Json, administrator

QUICK = Behaviour(download_seconds=(0, 0.1), install_seconds=(0, 0.1))


@pytest.fixture
def broker(mosquitto: real_parts.Broker) -> Broker:
    return Broker(mosquitto.host, mosquitto.port, timeout=3.0)


@pytest.fixture
def accounts(mosquitto: real_parts.Broker) -> list[Account]:
    made = [Account("acme", f"d{number}", "secret", version="1.0.0") for number in range(3)]
    mosquitto.add_accounts({account.user: account.password for account in made})
    return made


def presence(device: str, version: str = "1.0.0") -> Json:
    return {"device": device, "version": version}


async def test_device_updates_itself_and_reports_every_step(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher
) -> None:
    async with Fleet(accounts[:1], broker, Behaviour(download_seconds=(0.6, 0.6), install_seconds=(0.2, 0.2))):
        assert await dispatcher.hear() == presence("d0")
        await dispatcher.command("d0")
        reports = await dispatcher.hear_until("SUCCESS")
    same = {"device": "d0", "campaign_id": 7, "attempt": 1}
    progress = [report["progress"] for report in reports if report["status"] == "DOWNLOADING"]
    assert progress == sorted(set(map(int, map(str, progress))))
    assert len(progress) > 2
    assert reports[-2:] == [same | {"status": "INSTALLING"}, same | {"status": "SUCCESS", "version": "2.0.0"}]


@pytest.mark.parametrize(
    ("failure", "error_code"),
    [
        (Failure.DOWNLOAD, "download_failed"),
        (Failure.CHECKSUM, "bad_checksum"),
        (Failure.INSTALL, "install_failed"),
    ],
)
async def test_failing_device_says_what_went_wrong(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher, failure: Failure, error_code: str
) -> None:
    failing = Behaviour(fail=1, failures=(failure,), download_seconds=(0, 0), install_seconds=(0, 0))
    async with Fleet(accounts[:1], broker, failing) as fleet:
        await dispatcher.hear()
        await dispatcher.command("d0")
        [*_, last] = await dispatcher.hear_until("FAILED")
        assert last["error_code"] == error_code
        assert last["error"]
        assert fleet["acme", "d0"].memory.version == "1.0.0"


@pytest.mark.parametrize(("ahead", "code"), [(600.0, "expired"), (-200_000.0, "bad_time")])
async def test_device_with_a_wrong_clock_says_so_in_place_of_silence(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher, ahead: float, code: str
) -> None:
    async with Fleet(accounts[:1], broker, Behaviour(clock_ahead=ahead)) as fleet:
        await dispatcher.hear()
        await dispatcher.command("d0", attempt=3)
        refused = await dispatcher.hear()
    assert (refused["campaign_id"], refused["attempt"], refused["status"]) == (7, 3, "FAILED")
    assert refused["error_code"] == code
    assert (fleet.tally.refused, fleet.tally.acted_on) == (1, 0)


async def test_silent_device_stops_after_installing_and_takes_the_next_attempt(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher
) -> None:
    silent = Behaviour(fail=1, failures=(Failure.SILENCE,), download_seconds=(0, 0), install_seconds=(0, 0))
    async with Fleet(accounts[:1], broker, silent) as fleet:
        await dispatcher.hear()
        for attempt in (1, 2):
            await dispatcher.command("d0", attempt=attempt)
            assert {report["attempt"] for report in await dispatcher.hear_until("INSTALLING")} == {attempt}
        assert fleet.tally.succeeded == fleet.tally.failed == 0


async def test_unreadable_command_does_no_harm(broker: Broker, accounts: list[Account], dispatcher: Dispatcher) -> None:
    async with Fleet(accounts[:1], broker, QUICK):
        await dispatcher.hear()
        await dispatcher.send("d0", b"\xff not json")
        await dispatcher.command("d0")
        await dispatcher.hear_until("SUCCESS")


async def test_repeated_command_is_answered_and_not_done_again(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher
) -> None:
    async with Fleet(accounts[:1], broker, QUICK) as fleet:
        await dispatcher.hear()
        command = await dispatcher.command("d0")
        [*_, done] = await dispatcher.hear_until("SUCCESS")
        await dispatcher.send("d0", command)
        assert await dispatcher.hear() == done
        assert fleet.tally.succeeded == 1


async def test_device_that_comes_back_repeats_its_last_report(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher
) -> None:
    async with Fleet(accounts[:1], broker, QUICK) as fleet:
        await dispatcher.hear()
        await dispatcher.command("d0")
        [*_, done] = await dispatcher.hear_until("SUCCESS")
        await leave(fleet["acme", "d0"])
        fleet["acme", "d0"].come_back()
        assert await dispatcher.hear() == done


async def test_offline_device_gets_no_command_and_its_outcome_arrives_when_it_is_back(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher
) -> None:
    async with Fleet(accounts[:1], broker, QUICK, keep_history=True) as fleet:
        device = fleet["acme", "d0"]
        await dispatcher.hear()
        await dispatcher.command("d0")
        await dispatcher.hear()
        await leave(device)
        await dispatcher.command("d0", attempt=2)
        while device.memory.version != "2.0.0":
            await asyncio.sleep(0.01)
        device.come_back()
        [*_, done] = await dispatcher.hear_until("SUCCESS")
        assert done["attempt"] == 1
        assert len(device.history.payloads("received")) == 1


async def leave(device: Agent) -> None:
    device.go_offline()
    while device.is_online:
        await asyncio.sleep(0.01)


async def test_report_that_reaches_nobody_is_repeated_until_somebody_hears_it(
    broker: Broker, accounts: list[Account], mosquitto: real_parts.Broker
) -> None:
    async with Fleet(accounts[:1], broker, QUICK, keep_history=True) as fleet:
        device = fleet["acme", "d0"]
        await device.history.until(lambda entries: sum(entry.reason_code == 16 for entry in entries) >= 2)
        assert [report.version for report in device.memory.unsent] == ["1.0.0"]
        async with administrator(mosquitto) as client:
            await client.subscribe("tenant/+/device/+/ota/status", qos=1)
            await device.history.until(lambda entries: entries[-1].what == "sent" and entries[-1].reason_code == 0)
        assert not device.memory.unsent


async def test_device_is_told_when_the_broker_refuses_a_topic(broker: Broker, accounts: list[Account]) -> None:
    async with Fleet(accounts[:1], broker, manual=True) as fleet:
        await fleet.ready()
        assert await fleet["acme", "d0"].say(b"{}", report_topic("acme", "d1")) == 135


async def test_wrong_password_is_said_and_tried_again_later(broker: Broker, accounts: list[Account]) -> None:
    stranger = Account("acme", "d0", "wrong")
    async with Fleet([stranger, accounts[1]], broker, QUICK) as fleet:
        await fleet["acme", "d1"].until_online()
        while not fleet.tally.trouble:
            await asyncio.sleep(0.01)
        assert "NOT_AUTHORIZED" in fleet.tally.trouble
        assert fleet.tally.connected == 1


async def test_devices_find_back_to_a_broker_that_was_killed(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher, mosquitto: real_parts.Broker
) -> None:
    async with Fleet(accounts, broker, QUICK) as fleet:
        await fleet.ready()
        await mosquitto.kill()
        while any(device.is_online for device in fleet):
            await asyncio.sleep(0.01)
        await mosquitto.start()
        for device in fleet:
            await device.until_online()


async def test_broker_that_never_answers_is_given_up_and_the_fleet_still_ends_at_once() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    deaf = Broker("127.0.0.1", server.sockets[0].getsockname()[1], timeout=0.2)
    async with server, asyncio.timeout(5), Fleet([Account("acme", "d0", "secret")], deaf, QUICK) as fleet:
        while not fleet.tally.trouble:
            await asyncio.sleep(0.01)
        assert fleet.tally.trouble == "no connection and CONNACK within 0.2 s"


async def test_memories_survive_a_restart_and_an_update_at_hand_goes_on(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher, tmp_path: Path
) -> None:
    state = tmp_path / "fleet.jsonl"
    slow = Behaviour(download_seconds=(30, 30))
    async with Fleet(accounts[:1], broker, slow, state=state):
        await dispatcher.hear()
        command = await dispatcher.command("d0")
        assert (await dispatcher.hear())["status"] == "DOWNLOADING"
    async with Fleet(accounts[:1], broker, QUICK, state=state):
        [*_, done] = await dispatcher.hear_until("SUCCESS")
        await dispatcher.send("d0", command)
        assert await dispatcher.hear() == done
    async with Fleet(accounts[:1], broker, QUICK, state=state):
        assert await dispatcher.hear() == done


async def test_manual_device_says_only_what_a_test_makes_it_say(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher
) -> None:
    async with Fleet(accounts, broker, manual=True, keep_history=True) as fleet:
        await fleet.ready()
        device = fleet["acme", "d1"]
        command = await dispatcher.command("d1")
        await device.history.until(lambda entries: entries[-1].what == "received")
        assert await device.say(b'{"campaign_id": 7, "status": "SUCCESS"}') == 0
        assert await dispatcher.hear() == {"device": "d1", "campaign_id": 7, "status": "SUCCESS"}
        assert device.history.payloads("received") == [command]
        assert [entry.what for entry in device.history.entries] == ["connected", "received", "sent"]
        await leave(device)
        with pytest.raises(LinkLostError):
            await device.say(b"{}")


async def test_devices_come_and_go_by_themselves(
    broker: Broker, accounts: list[Account], dispatcher: Dispatcher
) -> None:
    restless = Behaviour(offline=0.5, offline_seconds=(0.1, 0.2), seed=7)
    async with Fleet(accounts[:1], broker, restless, keep_history=True) as fleet:
        history = fleet["acme", "d0"].history
        await history.until(lambda entries: sum(entry.what == "disconnected" for entry in entries) >= 2)


def test_device_twice_in_a_fleet_is_refused(accounts: list[Account], broker: Broker) -> None:
    with pytest.raises(ValueError, match="acme/device/d0 is there twice"):
        Fleet([accounts[0], accounts[0]], broker)
