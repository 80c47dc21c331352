"""What a reader of the README types, taken from its text and run in a shell; only ports and ids are this stack's."""

import asyncio
import json
import os
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from local_stack.layout import ROOT
from tests.e2e.stack import Stack

SHELL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Checkout:
    """The checkout as somebody sees it whose stack lies in `.run`."""

    folder: Path
    stack: Stack

    def adapted(self, text: str) -> str:
        gateway, mqtt = self.stack.settings.port("gateway_port"), self.stack.settings.port("mqtt_port")
        return text.replace("127.0.0.1:8080", f"127.0.0.1:{gateway}").replace("-p 11883", f"-p {mqtt}")

    async def shell(self, script: str, **variables: str) -> Process:
        return await asyncio.create_subprocess_exec(
            "bash",
            *("-euc", self.adapted(script)),
            cwd=self.folder,
            env=os.environ | self.stack.settings.environment() | variables,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def run(self, script: str, **variables: str) -> str:
        """What a script prints. Fails when it fails."""
        process = await self.shell(script, **variables)
        async with asyncio.timeout(SHELL_SECONDS):
            output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    @asynccontextmanager
    async def running(self, command: str, **variables: str) -> AsyncIterator[Process]:
        """A command that goes on until the end of the block."""
        process = await self.shell(f"exec {command}", **variables)
        try:
            yield process
        finally:
            process.terminate()
            await process.communicate()


@pytest.fixture
def checkout(stack: Stack, tmp_path: Path) -> Checkout:
    for entry in ROOT.iterdir():
        if entry.name != ".run":
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / ".run").symlink_to(stack.folder)
    return Checkout(tmp_path, stack)


def block(heading: str) -> str:
    """The shell lines below a heading of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^### {heading}$.*?^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the README has no shell lines below {heading!r}"
    return found[1]


async def next_id(stack: Stack, table: str) -> int:
    """The id that the next row gets; 1 on a fresh stack."""
    connection = await asyncpg.connect(stack["POSTGRES_DSN"])
    try:
        sequence = await connection.fetchval("SELECT pg_get_serial_sequence($1, 'id')", table)
        return int(await connection.fetchval(f"SELECT last_value + is_called::int FROM {sequence}"))
    finally:
        await connection.close()


async def test_the_api_in_ten_lines_and_a_device_by_hand(checkout: Checkout) -> None:
    firmware = await next_id(checkout.stack, "firmware_versions")
    campaign = await next_id(checkout.stack, "ota_campaigns")
    lines = block("The API in ten lines")
    assert len(lines.splitlines()) == 10
    mine = lines.replace('"firmware_version_id":1', f'"firmware_version_id":{firmware}')
    answers = answers_of(await checkout.run(mine.replace("campaigns/1", f"campaigns/{campaign}")))
    assert [answer.get("code") for answer in answers] == [None] * 7
    assert answers[0]["id"] == firmware
    assert answers[-1]["id"] == campaign
    assert (answers[-1]["status"], answers[-1]["total_devices"]) == ("RUNNING", 2)

    make_device, hear, *report = block("A device by hand").splitlines()
    printed = await checkout.run(make_device)
    [password] = re.findall(r"^MQTT password +(\S+)$", printed, re.MULTILINE)
    async with checkout.running(hear, PASSWORD=password) as subscriber:
        command = await first_line(subscriber)
        assert (command["type"], command["campaign_id"], command["version"]) == ("ota_update", campaign, "2.1.0")
        said = "\n".join(report).replace('"campaign_id":1', f'"campaign_id":{campaign}')
        await checkout.run(said.replace('"attempt":1', f'"attempt":{command["attempt"]}'), PASSWORD=password)
    device = await until_success(checkout, campaign)
    assert device["error_code"] is None


def answers_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line]


async def first_line(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(SHELL_SECONDS):
        read: dict[str, Any] = json.loads(await process.stdout.readline())
    return read


async def until_success(checkout: Checkout, campaign: int) -> dict[str, Any]:
    """The row of device d1, once it is SUCCESS."""
    [first, second, *_] = block("The API in ten lines").splitlines()
    script = f"{first}\n{second}\nj $API/ota/campaigns/{campaign}/devices"
    async with asyncio.timeout(SHELL_SECONDS):
        while True:
            [answer] = answers_of(await checkout.run(script))
            row: dict[str, Any] = next(row for row in answer["devices"] if row["device_id"] == "d1")
            if row["status"] == "SUCCESS":
                return row


async def test_the_two_lines_that_make_device_prints_are_those_of_the_readme(checkout: Checkout) -> None:
    printed = await checkout.run("make -s device TENANT=acme DEVICE=d9 TYPE=gw2")
    for line in block("A device by hand").splitlines()[1:3]:
        program, *options = checkout.adapted(line).replace("d1", "d9").split()
        shown = next(text for text in printed.splitlines() if text.strip().startswith(program))
        wanted = [word for word in options if word not in {'"$PASSWORD"', "\\"}]
        assert [word for word in wanted if word not in shown] == []
