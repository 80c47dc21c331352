"""The commands that `make device` prints work as printed."""

import asyncio
from pathlib import Path

import aiomqtt
import pytest

from local_stack.devices import DeviceAccount
from local_stack.errors import StackError
from local_stack.stack_env import read, variable
from pulse.contracts.mqtt import command_topic, report_topic
from tests.real_parts import Broker


@pytest.fixture
def account(mosquitto: Broker) -> DeviceAccount:
    made = DeviceAccount("acme", "by hand's", mosquitto.host, str(mosquitto.port), "its-password")
    mosquitto.add_accounts({made.user: made.password})
    return made


async def test_the_first_line_hears_a_command_and_the_second_reports(mosquitto: Broker, account: DeviceAccount) -> None:
    hear, say = account.lines()
    listener = await asyncio.create_subprocess_shell(f"{hear} -C 1 -W 20", stdout=asyncio.subprocess.PIPE)
    async with aiomqtt.Client(
        mosquitto.host,
        mosquitto.port,
        username=mosquitto.admin_user,
        password=mosquitto.admin_password,
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as admin:
        await admin.subscribe(report_topic("acme", "by hand's"), qos=1)
        topic = command_topic("acme", "by hand's")
        await admin.publish(topic, b"update", qos=1, retain=True)
        assert await (await asyncio.create_subprocess_shell(say)).wait() == 0
        report = await asyncio.wait_for(anext(admin.messages), 10)
        heard, _ = await listener.communicate()
        await admin.publish(topic, b"", qos=1, retain=True)
    assert heard.decode() == f"{topic} update\n"
    assert bytes(report.payload) == b'{"version": "1.0.0"}'


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="start it with `make up`"):
        read(tmp_path)


def test_a_part_s_name_begins_its_variables() -> None:
    assert variable("status-ingest-svc-2") == "STATUS_INGEST_SVC_2"
