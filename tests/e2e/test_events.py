"""What docs/events.md says of messages is so: those of a run fit the AsyncAPI, and the page's commands show them."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from aiokafka import ConsumerRecord

from local_stack.layout import ROOT
from pulse.contracts.kafka import CONTROL, DEVICE_STATUS, QUARANTINE, REQUESTS, RESULTS, TOPICS, Topic
from pulse.contracts.mqtt import report_topic
from tests.asyncapi import problems
from tests.e2e.arrange import Site, broken
from tests.e2e.kafka_tools import Shell
from tests.e2e.topics import records

PAGE = ROOT / "docs" / "events.md"
KINDS = {
    REQUESTS: "DispatchRequest",
    RESULTS: "DispatchResult",
    CONTROL: "CampaignControl",
    DEVICE_STATUS: "DeviceStatusChanged",
    QUARANTINE: "Quarantined",
}
LATEST, PUT_ASIDE, FOLLOW, PROGRESS = re.findall(
    r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8").split("\n## Event streams")[0], re.MULTILINE | re.DOTALL
)
UNREADABLE = b"not JSON"


@asynccontextmanager
async def heard_reports(site: Site) -> AsyncIterator[list[bytes]]:
    """What this tenant's devices report within the block, as the broker hands it on."""
    heard: list[bytes] = []
    stack = site.stack
    async with aiomqtt.Client(
        stack["MQTT_HOST"],
        int(stack["MQTT_PORT"]),
        username=stack["MQTT_ADMIN_USER"],
        password=stack["MQTT_ADMIN_PASSWORD"],
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        await client.subscribe(report_topic(site.tenant, "+"), qos=1)

        async def listen() -> None:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                heard.append(message.payload)

        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listen())
            yield heard
            listening.cancel()


async def told(site: Site, path: str, seconds: float = 4.5) -> list[tuple[str, Any]]:
    """The events of a stream, name and data, for some seconds."""
    events: list[tuple[str, Any]] = []
    name = ""
    try:
        async with asyncio.timeout(seconds), site.http.stream("GET", path, timeout=None) as answer:
            async for line in answer.aiter_lines():
                kind, _, rest = line.partition(": ")
                if kind == "event":
                    name = rest
                elif kind == "data":
                    events.append((name, json.loads(rest)))
    except TimeoutError:
        pass
    return events


@pytest.fixture
async def shell(tmp_path: Path, site: Site) -> Shell:
    made = Shell(tmp_path, site.stack["KAFKA_BOOTSTRAP"])
    await made.prepare()
    return made


def unfit(kind: str, messages: Iterable[object]) -> list[list[str]]:
    """What is wrong with each message that does not fit its schema."""
    return [found for found in (problems(kind, message) for message in messages) if found]


async def test_every_message_of_a_run_fits_the_asyncapi(site: Site) -> None:
    async with (
        heard_reports(site) as reports,
        site.fleet(6),
        site.fleet(2, broken()),
        site.fleet(1, manual=True) as hand,
    ):
        [agent] = hand
        await agent.say(UNREADABLE)
        campaign = await site.started(rate=1200, max_attempts=2)
        streams = asyncio.gather(
            told(site, f"/customer/ota/campaigns/{campaign.id}/events"), told(site, "/customer/ota/events")
        )
        await campaign.until_ended()
        events = await streams
    kinds = {"campaign": "Campaign", "campaigns": "CampaignChanges", "beat": "Beat"}
    assert {name for stream in events for name, _ in stream} == set(kinds)
    for name, kind in kinds.items():
        assert unfit(kind, [data for stream in events for event, data in stream if event == name]) == []
    sent = [json.loads(report) for report in reports if report != UNREADABLE]
    assert {report.get("status") for report in sent} >= {"DOWNLOADING", "SUCCESS", "FAILED"}
    assert unfit("Report", sent) == []
    for topic in TOPICS:
        of_ours = await _ours(site, topic)
        assert of_ours, topic.name
        assert unfit(KINDS[topic], [json.loads(record.value) for record in of_ours]) == []
    commands = [json.loads(json.loads(record.value)["command"]) for record in await _ours(site, REQUESTS)]
    assert unfit("Command", commands) == []


async def _ours(site: Site, topic: Topic) -> list[ConsumerRecord]:
    found = await records(site.stack["KAFKA_BOOTSTRAP"], topic)
    ours = (f'"tenant_id":"{site.tenant}"'.encode(), f"mqtt:tenant/{site.tenant}/".encode())
    return [record for record in found if any(mark in record.value for mark in ours)]


async def test_the_records_of_a_device_have_the_key_and_the_gaps_that_the_page_names(site: Site) -> None:
    async with site.fleet(3):
        campaign = await site.started(rate=1200)
        await campaign.until_ended()
    by_key: dict[bytes, list[ConsumerRecord]] = {}
    for record in await _ours(site, DEVICE_STATUS):
        by_key.setdefault(record.key, []).append(record)
    assert set(by_key) == {f"{site.tenant}:{agent.account.device_id}".encode() for agent in site.agents}
    for found in by_key.values():
        assert len({record.partition for record in found}) == 1
        changes = [json.loads(record.value) for record in found]
        assert all(change["from"] != change["to"] for change in changes)
        assert [change["to"] for change in changes].count("SUCCESS") == 1
        assert "QUEUED" not in {change["to"] for change in changes}, "claims are left out, as the page says"
    assert {record.key for record in await _ours(site, CONTROL)} == {str(campaign.id).encode()}


async def test_the_pages_commands_show_what_happened(site: Site, shell: Shell) -> None:
    async with site.fleet(1, manual=True) as hand:
        [agent] = hand
        await agent.say(UNREADABLE)
        await _until_put_aside(site)
    printed = await shell.typed(PUT_ASIDE)
    assert f"unreadable mqtt:tenant/{site.tenant}/device/{agent.account.device_id}/ota/status b'not JSON'" in printed


async def _until_put_aside(site: Site) -> None:
    async with asyncio.timeout(10):
        while not await _ours(site, QUARANTINE):
            await asyncio.sleep(0.1)


async def test_the_pages_consumer_goes_on_where_it_ended(site: Site, shell: Shell) -> None:
    async with site.fleet(2):
        await (await site.started(rate=1200)).until_ended()
        first = await _followed(site, "SUCCESS", 2)
        await (await site.started(rate=1200, version="3.0.0")).until_ended()
        again = await _followed(site, "SUCCESS", 2)
    assert set(first.splitlines()).isdisjoint(again.splitlines())
    listed = await shell.typed(LATEST)
    assert f"{site.tenant}:" in listed
    assert '"to":"SUCCESS"' in listed
    progress = await shell.typed(PROGRESS.replace("my-follower", f"{site.tenant}-follower"))
    assert DEVICE_STATUS.name in progress


async def _followed(site: Site, word: str, times: int) -> str:
    """What the example prints in this tenant's own group, until this tenant's word has come so often."""
    assert "python3 docs/examples/follow.py" in FOLLOW
    variables = {"KAFKA": site.stack["KAFKA_BOOTSTRAP"], "GROUP": f"{site.tenant}-follower"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "docs" / "examples" / "follow.py", env=os.environ | variables, stdout=PIPE
    )
    assert process.stdout is not None
    printed: list[str] = []
    try:
        async with asyncio.timeout(30):
            while sum(f" {site.tenant}/" in line and line.rstrip().endswith(word) for line in printed) < times:
                printed.append((await process.stdout.readline()).decode())
        await asyncio.sleep(1)  # its commit
    finally:
        process.terminate()
        await process.wait()
    return "".join(line for line in printed if f" {site.tenant}/" in line)
