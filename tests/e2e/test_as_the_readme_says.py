"""What a reader of the README types, taken from its text and run in a shell."""

import asyncio
import json
import os
import re
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import pytest

from local_stack.layout import ROOT
from tests.e2e.stack import Stack

SHELL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Checkout:
    """The checkout as somebody sees it whose stack lies in `.run`."""

    folder: Path
    stack: Stack

    async def shell(self, script: str, **variables: str) -> Process:
        return await asyncio.create_subprocess_exec(
            "bash",
            *("-euc", script),
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


async def test_the_api_in_ten_lines_and_a_device_by_hand(checkout: Checkout) -> None:
    lines = block("The API in ten lines")
    assert len(lines.splitlines()) == 10
    *answers, command = answers_of(await checkout.run(lines + block("A device by hand")))
    assert [answer.get("code") for answer in answers] == [None] * 7
    campaign = answers[-1]
    assert (campaign["status"], campaign["total_devices"]) == ("RUNNING", 1)
    assert (command["type"], command["campaign_id"], command["version"]) == ("ota_update", campaign["id"], "2.1.0")
    ended = await until_completed(checkout, campaign["id"])
    assert (ended["succeeded"], ended["failed"]) == (1, 0)


def answers_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


async def until_completed(checkout: Checkout, campaign: int) -> dict[str, Any]:
    [first, second, *_] = block("The API in ten lines").splitlines()
    async with asyncio.timeout(SHELL_SECONDS):
        while True:
            [answer] = answers_of(await checkout.run(f"{first}\n{second}\nj $API/ota/campaigns/{campaign}"))
            if answer["status"] == "COMPLETED":
                return answer


async def test_the_lines_that_make_device_prints_are_those_of_the_readme(checkout: Checkout) -> None:
    printed = await checkout.run("make -s device TENANT=acme DEVICE=d9 TYPE=gw2")
    [_, hear, present, *_] = block("A device by hand").splitlines()
    for line in (hear, present):
        place = {name: checkout.stack[name] for name in ("MQTT_HOST", "MQTT_PORT")}
        here = Template(line).safe_substitute(place)
        wanted = re.findall(r"-[hpVutq] \S+|mosquitto_\w+", here.replace("d1", "d9"))
        program = wanted[0]
        shown = next(text for text in printed.splitlines() if text.strip().startswith(program))
        assert [words for words in wanted if words not in shown] == []
