"""One device's update is one trace, from its release to its end, at a collector and in what passes on the way."""

import asyncio
import json
import re
import subprocess
import sys

import aiomqtt
from aiokafka import AIOKafkaConsumer

from pulse.contracts.kafka import DEVICE_STATUS, REQUESTS, RESULTS
from pulse.runtime.tracing import Update
from tests.monitoring.conftest import Watched
from tests.monitoring.otlp import Span

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")


async def a_success(watched: Watched) -> str:
    """The name of a device that has succeeded at the first attempt."""
    rows = await watched.campaign.devices()
    return next(name for name, row in rows.items() if row["status"] == "SUCCESS" and row["attempt"] == 1)


async def spans_of(watched: Watched, device: str, last: str) -> list[Span]:
    """Once the span named `last` has come: exporters send twice a second here."""
    async with asyncio.timeout(20):
        while last not in {span.name for span in watched.collector.of(watched.campaign.id, device)}:
            await asyncio.sleep(0.2)
    return watched.collector.of(watched.campaign.id, device)


async def test_an_update_is_one_trace_from_its_release_to_its_success(watched: Watched) -> None:
    device = await a_success(watched)
    spans = await spans_of(watched, device, "report SUCCESS")
    trace, first = Update(watched.site.tenant, watched.campaign.id, device).ids
    assert {span.trace for span in spans} == {f"{trace:032x}"}
    [release] = [span for span in spans if not span.parent]
    assert (release.service, release.name, release.id) == ("campaign-svc", "release", f"{first:016x}")
    assert {span.parent for span in spans if span is not release} == {release.id}
    assert {(span.service, span.name) for span in spans} >= {
        ("campaign-svc", "release"),
        ("dispatcher-svc", "dispatch"),
        ("status-ingest-svc", "report SUCCESS"),
    }
    [dispatch] = [span for span in spans if span.name == "dispatch"]
    assert (dispatch.attributes["pulse.outcome"], dispatch.attributes["pulse.attempt"]) == ("PUBLISHED", 1)
    assert release.began < dispatch.ended < max(span.ended for span in spans)


async def test_a_step_leads_to_the_batch_that_it_was_part_of_and_to_its_statements(watched: Watched) -> None:
    device = await a_success(watched)
    [report] = [s for s in await spans_of(watched, device, "report SUCCESS") if s.name == "report SUCCESS"]
    [batch] = report.links
    async with asyncio.timeout(20):
        while not (found := [span for span in watched.collector.spans if span.id == batch]):
            await asyncio.sleep(0.2)
    of_batch = [span for span in watched.collector.spans if span.trace == found[0].trace]
    assert {span.name for span in of_batch} >= {"ingest", "transaction"}
    statements = [span for span in of_batch if span.attributes.get("db.system.name") == "postgresql"]
    assert any("ota_device_status" in str(span.attributes["db.query.text"]) for span in statements)


async def test_every_kafka_record_of_a_device_bears_its_trace(watched: Watched) -> None:
    device = await a_success(watched)
    trace, first = Update(watched.site.tenant, watched.campaign.id, device).ids
    consumer = AIOKafkaConsumer(
        REQUESTS.name,
        RESULTS.name,
        DEVICE_STATUS.name,
        bootstrap_servers=watched.site.stack["KAFKA_BOOTSTRAP"],
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            topics: set[str] = set()
            while topics != {REQUESTS.name, RESULTS.name, DEVICE_STATUS.name}:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        body = json.loads(record.value)
                        if (body["tenant_id"], body["device_id"]) == (watched.site.tenant, device):
                            [(name, value)] = record.headers
                            assert (name, value) == ("traceparent", f"00-{trace:032x}-{first:016x}-01".encode())
                            topics.add(record.topic)
    finally:
        await consumer.stop()


async def test_a_command_bears_the_trace_in_a_user_property(watched: Watched) -> None:
    stack = watched.site.stack
    asked = aiomqtt.Client(
        stack["MQTT_HOST"],
        int(stack["MQTT_PORT"]),
        username=stack["MQTT_ADMIN_USER"],
        password=stack["MQTT_ADMIN_PASSWORD"],
        protocol=aiomqtt.ProtocolVersion.V5,
    )
    async with asked as client, asyncio.timeout(30):
        await client.subscribe("tenant/+/device/+/commands", qos=1)
        await watched.campaign.approve(0, watched.site.bearing("approver"))
        async for message in client.messages:
            _, tenant, _, device, _ = str(message.topic).split("/")
            trace, first = Update(tenant, watched.campaign.id, device).ids
            found = TRACEPARENT.fullmatch(dict(message.properties.UserProperty)["traceparent"])  # type: ignore[union-attr]  # MQTT 5 has them
            assert found is not None
            assert found.groups() == (f"{trace:032x}", f"{first:016x}")
            return


async def test_a_request_has_a_trace_with_its_statements_and_its_log_lines_bear_it(watched: Watched) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    told = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    expected = {"transaction", "UPDATE", "POST /customer/ota/campaigns/{campaign_id}/pause"}
    answer = await watched.campaign.http.post(
        f"/customer/ota/campaigns/{watched.campaign.id}/pause", json={}, headers=told
    )
    assert answer.status_code in {200, 202}, "202: Kafka took its time"
    async with asyncio.timeout(20):
        while not expected <= {span.name for span in watched.collector.spans if span.trace == trace}:
            await asyncio.sleep(0.2)
    logs = "\n".join(log.read_text() for log in (watched.site.stack.folder / "logs").glob("campaign-svc-*.log"))
    lines = [json.loads(line) for line in logs.splitlines() if trace in line]
    said = [line["trace_id"] for line in lines if line["event"] in {"announced", "not_announced"}]
    assert said == [trace]


def test_without_an_endpoint_nothing_of_the_sdk_is_imported() -> None:
    code = """
import sys
from pulse.runtime.tracing import TRACES
import campaign_svc.main, dispatcher_svc.main, status_ingest_svc.main
TRACES.configure("x")
assert not TRACES.is_on
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    assert printed.stdout.strip() == "[]"
